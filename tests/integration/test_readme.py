"""What README tells a newcomer to paste does what it says, in the order it stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.org import OrgProcess

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


SET_UP = ("make ", "export PATH", "tocsin serve", "sleep ")  # the test has done these


@pytest.fixture
def org(tmp_path: Path) -> Iterator[OrgProcess]:
    """Of a higher limit than the documented one: the list alone uses that up, and the rest would wait a minute."""
    with OrgProcess(tmp_path / "data", "--requests-per-minute", "100") as process:
        yield process


def test_the_five_minutes_and_the_sdk_examples(org: OrgProcess) -> None:
    (shell,) = blocks("sh")
    pasted = [line for line in shell.splitlines() if not line.startswith(SET_UP)]
    python = [f"python <<'END'\n{code}\nEND" for code in blocks("python")]
    assert len(python) == 2
    again = "tocsin check 77.90.185.20 203.0.113.9 --to http://127.0.0.1:8420"
    script = "\n".join(["set -eu", *pasted, *python, again])
    script = script.replace("http://127.0.0.1:8420", org.url).replace("my-org", str(org.data))
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "delivered 30,000 IPs" in done.stdout
    assert "77.90.185.20  HIGH (enforced: none)" in done.stdout
    assert "77.90.185.20  HIGH (enforced: HIGH until " in done.stdout
    assert "203.0.113.9  HIGH (enforced: HIGH until " in done.stdout
    assert "Exception" not in done.stdout
