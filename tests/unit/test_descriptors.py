"""The limit of open descriptors is raised as far as the system lets us."""

import resource
import subprocess
import sys

import pytest

ASK = "import resource as r; from tocsin.descriptors import make_room_for as room; print(room({}), r.getrlimit(7)[0])"


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "found"),
    [(256, 1024, 500, "500 628"), (256, 512, 500, "384 512"), (700, 1024, 500, "500 700")],
)
def test_a_process_makes_as_much_room_as_it_may(soft: int, hard: int, wanted: int, found: str) -> None:
    assert resource.RLIMIT_NOFILE == 7
    ended = subprocess.run(
        [sys.executable, "-c", ASK.format(wanted)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)),
    )
    assert ended.stdout.split("\n")[0] == found
