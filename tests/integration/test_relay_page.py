"""What docs/relay.md tells a newcomer to paste does what it says, in the order it stands there."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.org import OrgProcess
from support.process import tocsin

ROOT = Path(__file__).parents[2]
SET_UP = ("make ", "export PATH", "tocsin serve", "sleep 3")  # the test has done these
pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "relay.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def org(tmp_path: Path) -> Iterator[OrgProcess]:
    with OrgProcess(tmp_path / "my-org") as process:
        yield process


def test_the_ten_minutes(org: OrgProcess, tmp_path: Path) -> None:
    pasted = [line for block in blocks("sh") for line in block.splitlines() if not line.startswith(SET_UP)]
    (code,) = blocks("python")
    script = "\n".join(["set -eu", *pasted, "kill %1; wait %1", f"python <<'END'\n{code}\nEND"])
    script = script.replace("http://127.0.0.1:8420", org.url).replace("9420", str(_free_port()))
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = shell.communicate(timeout=100)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, err
    before, _, after = out.partition("target acme:")
    assert "8.8.4.4  HIGH (enforced: none)" in before
    assert "9.9.9.9  HIGH (enforced: none)" in before
    assert "2 delivered" in after
    assert "8.8.4.4  none (enforced: none)" in after
    assert "9.9.9.9  HIGH (enforced: none)" in after
    assert "request.delivered" in err
    assert "8.8.4.4  HIGH" in tocsin("check", "8.8.4.4", "--data", str(org.data)).stdout


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
