"""What docs/oauth.md tells to paste works, and its settings are the defaults."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import msgspec
import pytest

from support.org import OrgProcess
from tocsin.org.config import OrgConfig

PAGE = (Path(__file__).parents[2] / "docs" / "oauth.md").read_text(encoding="utf-8")
NEEDED = ("curl", "openssl", "jq")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.mark.slow
@pytest.mark.skipif(any(shutil.which(tool) is None for tool in NEEDED), reason=f"needs {', '.join(NEEDED)}")
def test_from_a_key_to_the_first_event(org: OrgProcess, tmp_path: Path) -> None:
    script = "set -eu\n" + block("sh").replace("http://127.0.0.1:8420", org.url)
    env = os.environ | {"TOCSIN_TOKEN": org.token()}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ['"okta.riskEvents.manage"', "edge-sensor", "202"]


def test_the_settings_are_the_defaults() -> None:
    assert msgspec.convert(tomllib.loads(block("toml")), OrgConfig) == OrgConfig()
