"""The edges of the process: Ctrl-C at any moment, and an output that takes nothing."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "tocsin"]


@pytest.mark.parametrize("after_s", [0.05, 0.1, 0.15, 0.2, 0.3])
def test_ctrl_c_while_it_starts_ends_it_without_a_traceback(after_s: float, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "send", "-", "--dry-run"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        code = process.wait(10)
    if after_s > 0.1:  # before that, it may be Python itself that is interrupted
        assert code == 130
        assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [["formats"], ["--help"], ["check", "1.2.3.4", "--data", "DATA"]])
def test_a_full_output_device_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    subprocess.run([*COMMAND, "token", "create", "t", "--data", str(tmp_path)], capture_output=True, check=True)
    command = [*COMMAND, *(str(tmp_path) if part == "DATA" else part for part in arguments)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "tocsin: the output cannot be written: No space left on device\n")
