"""The door of the relay: what a source hands over, from where, and when again."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
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
    path.write_text("".join(f"1.2.{n // 250}.{n % 250}\t5\n" for n in range(9_000)))
    batches = await _whole(_source(path).batches(b""))
    assert len(_ips(batches)) == 9_000
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
    *batches, second = await _whole(_source(path).batches(first.position))
    assert _ips(batches) == ["1.2.3.5"]
    assert second.position not in (b"", first.position)


async def test_a_file_that_is_not_there_and_a_format_that_is_none_are_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        await _whole(_source(tmp_path / "none").batches(b""))
    with pytest.raises(SourceError, match="'csb' is no format"):
        _source(tmp_path, format="csb")
