"""The door where others post: 202 only once the relay has kept it, and nothing without the token."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tocsin.signals import Batch
from tocsin.sources import SourceConfig, SourceError, open_source
from tocsin.sources.inputs.push import MOST_BYTES, PushSource

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
JSONL = b'{"ip":"1.2.3.4","riskLevel":"HIGH"}\n{"ip":"1.2.3.400","riskLevel":"HIGH"}\n'
GOOD = {"Authorization": "Bearer s3cr3t"}


class Kept:
    """The far side of the source: keeps batches, when it may."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.may_keep = asyncio.Event()


def _source(folder: Path) -> PushSource:
    (folder / "token").write_text("s3cr3t\n")
    (folder / "allowed").write_text("192.88.99.1\n")
    config = SourceConfig(listen="0", key_file=str(folder / "token"), allow_lists=(str(folder / "allowed"),))
    source = open_source("posted", config, clock=lambda: NOW)
    assert isinstance(source, PushSource)
    return source


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[int, Kept, asyncio.Task[None]]]:
    source, kept = _source(folder), Kept()

    async def keep() -> None:
        batches = source.batches(b"")
        try:
            async for batch in batches:
                await kept.may_keep.wait()
                kept.batches.append(batch)
        finally:
            await batches.aclose()  # type: ignore[attr-defined]

    task = asyncio.create_task(keep())
    while not source.port:
        await asyncio.sleep(0.01)
        assert not task.done()
    try:
        yield source.port, kept, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _post(port: int, body: bytes, headers: dict[str, str] | None = None, method: str = "POST") -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, "/", body, GOOD if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


async def test_202_comes_once_what_was_posted_is_kept(tmp_path: Path) -> None:
    async with _running(tmp_path) as (port, kept, _):
        posting = asyncio.create_task(asyncio.to_thread(_post, port, JSONL))
        await asyncio.sleep(0.3)
        assert not posting.done(), "it is read, and not kept yet"
        kept.may_keep.set()
        status, body = await posting
        assert (status, json.loads(body)) == (202, {"claims": 1, "skipped": 1})
        (batch,) = kept.batches
        assert [claim.ip for claim in batch.claims] == ["1.2.3.4"]
        assert [str(one.reason) for one in batch.skipped] == ["bad_address"]


async def test_any_format_is_known_and_what_is_none_is_refused(tmp_path: Path) -> None:
    async with _running(tmp_path) as (port, kept, _):
        kept.may_keep.set()
        ban = b"2026-01-05 10:00:00,584 fail2ban.actions [9275]: NOTICE  [sshd] Ban 1.2.3.9\n"
        assert (await asyncio.to_thread(_post, port, ban))[0] == 202
        status, body = await asyncio.to_thread(_post, port, b"<html>")
        assert status == 400
        assert "in no format" in json.loads(body)["error"]
        assert "/tmp" not in json.loads(body)["error"]


async def test_lines_of_a_log_count_together_over_several_posts(tmp_path: Path) -> None:
    line = b"Jan  5 10:00:0%d host sshd[%d]: Failed password for root from 1.2.3.4 port 4711 ssh2\n"
    async with _running(tmp_path) as (port, kept, _):
        kept.may_keep.set()
        for number in range(3):
            assert (await asyncio.to_thread(_post, port, line % (number, number)))[0] == 202
        assert [len(batch.claims) for batch in kept.batches] == [0, 0, 1]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cr3t"}])
async def test_without_the_token_nothing_is_read(tmp_path: Path, headers: dict[str, str]) -> None:
    async with _running(tmp_path) as (port, kept, _):
        kept.may_keep.set()
        assert (await asyncio.to_thread(_post, port, JSONL, headers))[0] == 401
        assert kept.batches == []


async def test_what_is_too_large_or_no_post_is_refused(tmp_path: Path) -> None:
    async with _running(tmp_path) as (port, _, _task):
        large = {**GOOD, "Content-Length": str(MOST_BYTES + 1)}
        assert (await asyncio.to_thread(_post, port, b"", large))[0] == 413
        assert (await asyncio.to_thread(_post, port, b"", GOOD, "GET"))[0] == 405


async def test_who_posts_while_the_relay_stops_is_told_to_come_again(tmp_path: Path) -> None:
    async with _running(tmp_path) as (port, _, task):
        posting = asyncio.create_task(asyncio.to_thread(_post, port, JSONL))
        await asyncio.sleep(0.3)
        task.cancel()
        status, _ = await posting
        assert status == 503


async def test_a_door_needs_a_token_and_a_free_port(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="needs a key"):
        await anext(open_source("posted", SourceConfig(listen="0")).batches(b""))
    async with _running(tmp_path) as (port, _, _task):
        taken = SourceConfig(listen=str(port), key_file=str(tmp_path / "token"))
        with pytest.raises(SourceError, match="cannot listen on"):
            await anext(open_source("posted", taken).batches(b""))


async def test_without_room_for_a_file_who_posts_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _running(tmp_path) as (port, kept, _):
        kept.may_keep.set()
        with monkeypatch.context() as full:
            full.setattr(tempfile, "tempdir", str(tmp_path / "full"))
            status, answer = await asyncio.to_thread(_post, port, JSONL)
        assert (status, b"cannot be kept here: No such file" in answer) == (503, True)
        assert (await asyncio.to_thread(_post, port, JSONL))[0] == 202


async def test_an_allow_list_that_changed_holds_from_the_next_request_on(tmp_path: Path) -> None:
    async with _running(tmp_path) as (port, kept, _):
        kept.may_keep.set()
        assert (await asyncio.to_thread(_post, port, JSONL))[1] == b'{"claims":1,"skipped":1}'
        (tmp_path / "allowed").write_text("1.2.3.0/24")
        assert (await asyncio.to_thread(_post, port, JSONL))[1] == b'{"claims":0,"skipped":2}'
        (tmp_path / "allowed").unlink()
        assert (await asyncio.to_thread(_post, port, JSONL))[0] == 503, "ours to mend, not theirs"
