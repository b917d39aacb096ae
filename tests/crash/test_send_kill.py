"""SIGKILL `tocsin send` at random moments: the same command again ends with all of it told, and nothing else.

TOCSIN_SOAK_ROUNDS=N kills N times instead of a few.
"""

import os
import random
import time
from pathlib import Path

import pytest

from support.faulty_org import faulty_org
from support.process import Command, tocsin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(36_000)]
ROUNDS = int(os.environ.get("TOCSIN_SOAK_ROUNDS", "3"))
IPS = 20_000


def test_a_send_that_is_killed_again_and_again_tells_all_in_the_end(tmp_path: Path) -> None:
    dice, path = random.Random(), tmp_path / "list.txt"
    ips = [f"{20 + n // 6_400}.{n // 25 % 256}.{n % 25}.9" for n in range(IPS)]
    dice.shuffle(ips)
    path.write_text("".join(f"{ip}\t9\n" for ip in ips))
    env = {"TOCSIN_TOKEN": "s3cret"}
    with faulty_org() as org:
        arguments = ["send", str(path), "--to", org.url]
        for _ in range(ROUNDS):
            with Command(*arguments, env=env):
                time.sleep(dice.uniform(0.1, 1.5))
        run = tocsin(*arguments, env=env)
        assert run.returncode == 0, run.stderr
        told = set(org.ips)
    assert told == set(ips)
    assert not list((Path(os.environ["XDG_STATE_HOME"]) / "tocsin" / "send").iterdir())
