"""What `tocsin send` needs of memory does not grow with its input: peaks of real processes, one against the other."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
LINES = 25_000
TIMES = 5
MORE_AT_MOST = 1.2
"""Kept in memory, so many times the lines would take twice as much."""

COUNTED = """
import sys
from tocsin.cli.main import app
app(["send", sys.argv[1], "--dry-run", "--json", "--as-of", "now"], standalone_mode=False)
"""
PLANNED = """
import sys, tempfile
from datetime import UTC, datetime
from pathlib import Path
from tocsin.cli.intake import HowToRead, Intake
from tocsin.cli.send_state import Order
from tocsin.relay import Staging, work_for
from tocsin.signals import to_ms

now = datetime.now(UTC)
with Staging(in_memory=8192) as staging, tempfile.TemporaryDirectory() as folder:
    for batch in Intake().batches([sys.argv[1]], HowToRead(now=now, as_of=now)):
        staging.add(batch)
    config = Order("", (sys.argv[1],)).config(Path(folder), None)
    backlog = work_for(Path(folder) / "outbox", config, staging, now_ms=to_ms(now))
    assert sum(one.count for one in backlog.values()) == int(sys.argv[2]), backlog
"""
TELLS_PEAK = "\nimport resource\nprint('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"


def _list(path: Path, lines: int) -> Path:
    numbers = ((n * 7_919) % lines for n in range(lines))  # all over the place
    path.write_text("".join(f"{20 + n // 65_536}.{n // 256 % 256}.{n % 256}.9\t9\n" for n in numbers))
    return path


def _peak(script: str, path: Path, lines: int) -> int:
    """In KiB. A child of a large process counts the pages of its parent, so it is started by one that is small."""
    run = f"{script}{TELLS_PEAK}"
    small = "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', *sys.argv[1:]]).returncode)"
    command = [sys.executable, "-c", small, run, str(path), str(lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("peak ")[2])


@pytest.mark.parametrize(("script", "lines"), [(COUNTED, 4 * LINES), (PLANNED, LINES)], ids=["counted", "planned"])
def test_many_times_the_lines_need_no_more_memory(tmp_path: Path, script: str, lines: int) -> None:
    few = _peak(script, _list(tmp_path / "few", lines), lines)
    many = _peak(script, _list(tmp_path / "many", TIMES * lines), TIMES * lines)
    assert many < MORE_AT_MOST * few, (few, many)
