"""The process beside a served org: when it cannot start, and when it cannot go on."""

import asyncio
import shlex
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from support.org_folder import fill
from tocsin.journal.sqlite import SqliteJournal
from tocsin.org.config import Http, OrgConfig
from tocsin.org.folder import DataFolder
from tocsin.org.opening import open_org
from tocsin.org.records import CarriedEvent, RiskCarried, encode_record, org_deed, risk_topic
from tocsin.org.rounds import in_background
from tocsin.org.worker import Leave, Take, Worker

IP = "203.0.113.9"
WORKER = [sys.executable, "-m", "tocsin.cli.worker"]


@pytest.mark.slow
async def test_one_that_cannot_start_is_tried_again_and_gets_a_configuration_of_any_size(tmp_path: Path) -> None:
    data, script = tmp_path / "data", tmp_path / "worker"
    networks = [f"10.{high}.{low}.0/24" for high in range(64) for low in range(256)]
    config = OrgConfig(http=Http(trusted_proxies=networks))
    assert len(msgspec.json.encode(config)) > 200_000  # more than Linux takes in one argument
    async with open_org(DataFolder.open(data), config) as org:
        with capture_logs() as logs:
            worker = Worker([str(script)])
            async with in_background(worker.run(), worker.upkeep(org)):
                while not logs:  # noqa: ASYNC110 - nothing but the log tells
                    await asyncio.sleep(0.01)
                assert logs[0]["event"] == "worker.not_started"
                unfinished = script.with_suffix(".new")
                unfinished.write_text(f"#!/bin/sh\nexec {shlex.join([*WORKER, str(data)])}\n")
                unfinished.chmod(0o700)
                unfinished.rename(script)
                seq = await org.journal.append(risk_topic("rkp"), encode_record(carried(severities=b"\x03")))
                assert await org.projector.wait_for(seq, at_most_s=30)
    assert [log for log in logs if log["event"] == "worker.ended"] == []


@pytest.mark.slow
async def test_work_that_has_failed_is_told_of_and_begun_again_until_it_is_to_be_left(tmp_path: Path) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    await fill(data, [IP])
    with log.open("wb") as errors:
        worker = await asyncio.create_subprocess_exec(*WORKER, str(data), stdin=PIPE, stdout=PIPE, stderr=errors)
    assert worker.stdin is not None
    assert worker.stdout is not None
    try:
        worker.stdin.write(msgspec.json.encode(Take("", OrgConfig())) + b"\n")
        name, seq = (await worker.stdout.readline()).split(b" ")
        assert name == b""
        journal = await SqliteJournal.open(data / "journal.db")
        await journal.append(risk_topic("rkp"), encode_record(carried(severities=b"")))  # no severity for its one IP
        await journal.close()
        worker.stdin.write(b"\n")
        async with asyncio.timeout(30):
            while log.read_text().count("work.failed") < 2:  # noqa: ASYNC110 - nothing but the log tells
                await asyncio.sleep(0.05)
        assert "ValueError: zip()" in log.read_text()
        assert int(seq) > 0
        worker.stdin.write(msgspec.json.encode(Leave("")) + b"\n")
        worker.stdin.close()
        assert await asyncio.wait_for(worker.wait(), 30) == 0
    finally:
        if worker.returncode is None:
            worker.kill()


def carried(*, severities: bytes) -> RiskCarried:
    event = CarriedEvent(0, 0, bytes(16), severities, None, 0)
    return RiskCarried(org_deed(0), "rkp", [event])
