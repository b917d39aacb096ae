"""The main job, as `make run` does it: a real org, the shipped list, the documented limit."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.process import tocsin

pytestmark = pytest.mark.slow


def test_without_a_terminal_it_ends_by_itself_with_the_whole_account(tmp_path: Path) -> None:
    shown = tocsin("demo", env={"TMPDIR": str(tmp_path)})
    assert shown.returncode == 0, shown.stderr
    assert "77.90.185.20  HIGH (enforced: HIGH until " in shown.stdout
    assert "192.0.2.1  nothing is known" in shown.stdout
    assert re.search(r"^Delivered 30,000 IPs with 30 requests in \d+\.\d seconds", shown.stdout, re.MULTILINE)
    assert "A script that sends one IP per request needs 30,000 requests: about 16 h 40 min." in shown.stdout
    assert list(tmp_path.iterdir()) == [], "it left something behind"


def test_it_leaves_no_org_behind_when_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tocsin", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"TMPDIR": str(tmp_path)}) as process:
        assert process.stdout is not None
        assert "An org runs at" in process.stdout.readline()
        process.terminate()
        assert process.wait(30) == 128 + 15
    assert list(tmp_path.iterdir()) == []
