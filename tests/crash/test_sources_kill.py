"""A relay that follows a log is killed at any moment, while lines are written and the log is rotated: none is lost."""

import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from support.org import OrgProcess
from support.relay_process import RelayProcess

pytestmark = pytest.mark.slow
ROUNDS, LINES = 3, 400
BAN = "%s fail2ban.actions        [9]: NOTICE  [sshd] Ban 1.2.%d.%d\n"


def test_a_log_is_read_to_its_last_line_across_kills_and_rotations(tmp_path: Path) -> None:
    log, dice, written = tmp_path / "fail2ban.log", Random(7), 0

    def append(count: int) -> None:
        nonlocal written
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S,000")
        with log.open("a") as file:
            for _ in range(count):
                file.write(BAN % (now, written // 250, written % 250))
                written += 1

    append(LINES)
    with OrgProcess(tmp_path / "org") as org:
        (tmp_path / "token").write_text(org.token("relay"))
        config = tmp_path / "relay.toml"
        target = f'[targets.acme]\nurl = "{org.url}"\ntoken_file = "token"\n'
        config.write_text(f'state = "state"\n{target}[sources.jail]\npath = "{log}"\n')
        for number in range(ROUNDS):
            with RelayProcess(config):
                append(LINES)
                time.sleep(dice.random())
            append(LINES)
            if number != ROUNDS - 1:
                log.rename(log.with_name(f"fail2ban.log.{ROUNDS - number}"))
                append(1)
        with RelayProcess(config) as relay:
            known = relay.until(lambda status: status["ips"] >= written)
        assert known["ips"] == written
