"""The door of the relay: what a source hands over, from where, and when again."""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tocsin.signals import Batch, Signal
from tocsin.sources import Source, SourceConfig, SourceError, open_source

NOW = datetime(2026, 8, 22, 9, 0, tzinfo=UTC)


def _source(path: Path, **more: object) -> Source:
    return open_source("bad ips", SourceConfig(path=str(path), **more), clock=lambda: NOW)  # type: ignore[arg-type]


async def _whole(batches: AsyncIterator[Batch]) -> list[Batch]:
    read = []
    async for batch in batches:
        read.append(batch)
        if batch.ends_list:
            break
    return read


def _ips(batches: list[Batch]) -> list[str]:
    return [claim.ip for batch in batches for claim in batch.claims if isinstance(claim, Signal)]


async def test_a_list_is_handed_over_whole_and_only_its_last_batch_moves_the_position(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("".join(f"1.2.{n // 250}.{n % 250}\t5\n" for n in range(30_000)))
    batches = await _whole(_source(path).batches(b""))
    assert len(_ips(batches)) == 30_000
    assert {batch.source for batch in batches} == {"bad ips"}
    assert len(batches) > 1
    assert {batch.position for batch in batches[:-1]} == {b""}
    assert batches[-1].position != b""


async def test_a_list_is_read_again_when_it_changed_also_across_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("1.2.3.4\t5\n1.2.3.5\t5\n")
    *_, first = await _whole(_source(path).batches(b""))
    path.write_text("1.2.3.5\t5\n")
    os.utime(path, ns=(1, 1))
    batches = await _whole(_source(path).batches(first.position))
    second = batches[-1]
    assert _ips(batches) == ["1.2.3.5"]
    assert second.position not in (b"", first.position)


async def test_a_file_that_is_not_there_and_a_format_that_is_none_are_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        await _whole(_source(tmp_path / "none").batches(b""))
    with pytest.raises(SourceError, match="'csb' is no format"):
        _source(tmp_path, format="csb")


async def test_a_list_that_breaks_off_lets_nothing_go(tmp_path: Path) -> None:
    path = tmp_path / "list.txt.gz"
    whole = gzip.compress("".join(f"1.2.{n // 250}.{n % 250}\n" for n in range(60_000)).encode())
    path.write_bytes(whole[:-500])
    batches, source = [], _source(path)
    async for batch in source.batches(b""):
        batches.append(batch)
        if batch.position:
            break
    assert len(_ips(batches)) > 1_000
    assert not any(batch.ends_list for batch in batches)
    assert [str(one.reason) for batch in batches for one in batch.skipped] == ["cut_off"]


async def test_events_are_no_list_and_let_nothing_go(tmp_path: Path) -> None:
    path = tmp_path / "eve.json"
    path.write_text('{"timestamp":"2026-08-22T08:00:00Z","flow_id":1,"event_type":"alert","src_ip":"1.2.3.4",')
    path.write_text(path.read_text() + '"alert":{"signature":"x","severity":1}}\n')
    async for batch in _source(path).batches(b""):
        assert not batch.ends_list
        if batch.position:
            break


async def _read_once(source: Source, position: bytes = b"") -> list[Batch]:
    batches = []
    async for batch in source.batches(position):
        batches.append(batch)
        if batch.position != position:
            break
    return batches


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("spamhaus-drop", '[{"cidr":"1.2.3.4/32","sblid":"SBL1","rir":"x"},{"cidr":"1.2.3.5/32",'),
        ("ip-list", "<!DOCTYPE html>\n<html><body>Too many requests,\ncome back later</body></html>\n"),
        ("ip-list", "1.2.3.4\n" + "x" * 2_000_000 + "\n1.2.3.5\n"),
    ],
    ids=["broken off", "page", "too long"],
)
async def test_a_list_that_cannot_be_all_there_is_lets_nothing_go(tmp_path: Path, form: str, content: str) -> None:
    path = tmp_path / "list"
    path.write_text(content)
    batches = await _read_once(_source(path, format=form))
    assert not any(batch.ends_list for batch in batches)
    path.write_text("# nobody\n")
    os.utime(path, ns=(1, 1))
    assert (await _read_once(_source(path, format="ip-list")))[-1].ends_list, "an empty list is one"


async def test_a_list_that_is_written_while_it_is_read_lets_nothing_go_and_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("".join(f"1.2.{n // 250}.{n % 250}\t5\n" for n in range(30_000)))
    source, ends = _source(path), list[bool]()
    source._config = SourceConfig(path=str(path), every_s=0.01)  # type: ignore[attr-defined]
    async for batch in source.batches(b""):
        if not ends:
            path.write_text("1.2.3.4\t5\n")
        ends.append(batch.ends_list)
        if batch.ends_list:
            break
    assert len(ends) > 2
    assert _ips([batch]) == ["1.2.3.4"], "the whole of the new one"


async def test_an_unchanged_list_is_read_again_before_it_fades_and_when_its_settings_change(tmp_path: Path) -> None:
    path, allowed = tmp_path / "list", tmp_path / "allowed"
    path.write_text("1.2.3.4\n1.2.3.5\n")
    allowed.write_text("9.9.9.9\n")
    hours = [0]

    async def ips(position: bytes, within_s: float = 30, **settings: object) -> tuple[list[str], bytes]:
        config = SourceConfig(path=str(path), every_s=1, allow_lists=(str(allowed),), **settings)  # type: ignore[arg-type]
        source = open_source("list", config, clock=lambda: NOW + timedelta(hours=hours[0]))
        try:
            async with asyncio.timeout(within_s):
                (batch,) = await _read_once(source, position)
        except TimeoutError:
            return [], position
        return _ips([batch]), batch.position

    everything = ["1.2.3.4", "1.2.3.5"]
    found, position = await ips(b"")
    assert found == everything
    hours[0] = 11
    assert (await ips(position, within_s=0.1))[0] == []
    hours[0] = 13
    found, position = await ips(position)
    assert found == everything
    assert (await ips(position, within_s=0.1))[0] == []
    assert (await ips(position, own_networks=("1.2.3.4/32",)))[0] == ["1.2.3.5"]
    allowed.write_text("1.2.3.5\n1.2.3.6\n")
    assert (await ips(position))[0] == ["1.2.3.4"]


async def test_a_mapping_that_was_mended_is_used_for_what_was_read_already(tmp_path: Path) -> None:
    path, mapping = tmp_path / "list.json", tmp_path / "mine.yaml"
    path.write_text('{"ip": "1.2.3.4", "real": "1.2.3.5"}\n')
    mapping.write_text("profile: mine\nip: {paths: [ip]}\nlevel: {always: LOW}\nmessage: seen\n")
    config = SourceConfig(path=str(path), mapping=str(mapping), follow=False, every_s=0.01)
    batches = open_source("mine", config, clock=lambda: NOW).batches(b"")
    assert _ips([await anext(batches)]) == ["1.2.3.4"]
    mapping.write_text(mapping.read_text().replace("[ip]", "[real]"))
    async for batch in batches:
        if _ips([batch]):
            break
    assert _ips([batch]) == ["1.2.3.5"]
