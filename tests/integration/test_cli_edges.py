"""The edges of the process: Ctrl-C at any moment, and an output that takes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.process import Command, tocsin

pytestmark = pytest.mark.slow


INTERRUPTED = """
import sys
from tocsin.__main__ import main

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "tocsin.cli.send":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
main()
"""


def test_ctrl_c_while_it_starts_ends_it_without_a_traceback() -> None:
    """In the middle of the imports: at which millisecond a signal would meet them is anybody's guess."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


@pytest.mark.parametrize("arguments", [["formats"], ["--help"], ["check", "1.2.3.4", "--data", "DATA"]])
def test_a_full_output_device_is_one_line(arguments: list[str], tmp_path: Path) -> None:
    assert tocsin("token", "create", "t", "--data", str(tmp_path)).returncode == 0
    command = (str(tmp_path) if part == "DATA" else part for part in arguments)
    with Path("/dev/full").open("wb") as full, (tmp_path / "said").open("wb") as said:
        assert Command(*command, output=full.fileno(), errors=said.fileno()).wait() == 1
    assert (tmp_path / "said").read_text() == "tocsin: the output cannot be written: No space left on device\n"
