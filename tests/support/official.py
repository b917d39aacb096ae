"""The official SDKs, installed once into `.tools`, and a way to have them make calls against an org."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests" / "official"
PYTHON_SDK, NODE_SDK = "okta==3.0.0", "@okta/okta-sdk-nodejs@8.1.0"
_INSTALLED_WITHIN_S = 240
_CALLED_WITHIN_S = 60

Plan = list[list[Any]]


def call_with_python(config: dict[str, Any], plan: Plan, *, sdk: str = PYTHON_SDK) -> list[dict[str, Any]]:
    """What the Python SDK gives for each [call, arguments] of `plan`. Skips the test where it cannot be had."""
    python = _python_with(sdk)
    command = [str(python), str(SCRIPTS / "client.py"), json.dumps(config), json.dumps(plan)]
    return _lines(command, {"OKTA_TESTING_TESTINGDISABLEHTTPSCHECK": "true"})


def call_with_node(config: dict[str, Any], plan: Plan) -> list[dict[str, Any]]:
    """What the Node.js SDK gives for each [api, call, argument] of `plan`. Skips the test where it cannot be had."""
    folder = _node_with(NODE_SDK)
    command = ["node", str(SCRIPTS / "client.js"), json.dumps(config), json.dumps(plan)]
    return _lines(command, {"OKTA_TESTING_DISABLEHTTPSCHECK": "true"}, cwd=folder)


def _lines(command: list[str], env: dict[str, str], cwd: Path | None = None) -> list[dict[str, Any]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OKTA_", "TOCSIN_"))}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_CALLED_WITHIN_S, check=False, env=clean | env, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _python_with(requirement: str) -> Path:
    folder = ROOT / ".tools" / f"official-{requirement.replace('==', '-')}"
    with _once(folder) as needed:
        if needed:
            _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)])
            uv = ROOT / ".tools" / "bin" / "uv"
            _run([str(uv), "pip", "install", "--quiet", "--python", str(folder), requirement])
    return folder / "bin" / "python"


def _node_with(requirement: str) -> Path:
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("Node.js and npm are not installed")
    folder = ROOT / ".tools" / f"official-node-{requirement.rpartition('@')[2]}"
    with _once(folder) as needed:
        if needed:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true}')
            _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), requirement])
    return folder


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Whether `folder` is still to be filled; one process fills it and the others wait."""
    folder.parent.mkdir(exist_ok=True)
    done = folder / ".complete"
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        needed = not done.exists()
        yield needed
        if needed:
            done.touch()


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALLED_WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the official client cannot be installed: {error}")
    if done.returncode != 0:
        pytest.skip(f"the official client cannot be installed: {done.stderr.strip()[-300:]}")
