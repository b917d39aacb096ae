"""Inputs that need an extra, or that come bit by bit: Kafka, Parquet, pipes."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from tocsin.signals import Signal
from tocsin.sources import Reading, SourceConfig, SourceError, mapping_format, open_source, open_source_input
from tocsin.sources.inputs.kafka import KafkaSource, offsets_of, portion_of, position_of
from tocsin.sources.inputs.pipe import PipeSource

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
JSONL = b'{"ip":"%s","riskLevel":"HIGH"}'
KAFKA = SourceConfig(kafka="127.0.0.1:1", topic="alerts")


def test_a_position_of_kafka_is_the_next_offset_of_each_partition() -> None:
    assert offsets_of(position_of({3: 7, 0: 12})) == {0: 12, 3: 7}
    assert offsets_of(b"") == {}
    assert offsets_of(b"17 32 9") == {}, "of another kind of input"
    assert portion_of([b"a\n", None, b"", b"b"]) == b"a\nb\n"


def test_messages_of_kafka_move_the_position_once_all_of_them_are_said() -> None:
    source = open_source("bus", KAFKA, clock=lambda: NOW)
    assert isinstance(source, KafkaSource)
    messages = [SimpleNamespace(value=JSONL % b"1.2.3.4", offset=7), SimpleNamespace(value=b"{", offset=8)]
    batches = source._of(messages, {0: 7, 1: 2}, {0: 9, 1: 2})
    assert [claim.ip for batch in batches for claim in batch.claims] == ["1.2.3.4"]
    assert [str(one.reason) for batch in batches for one in batch.skipped] == ["not_a_record"]
    assert offsets_of(batches[-1].position) == {0: 9, 1: 2}
    tombstones = source._of([SimpleNamespace(value=None, offset=9)], {0: 9}, {0: 10})
    assert [offsets_of(batch.position) for batch in tombstones] == [{0: 10}]


async def test_a_kafka_that_is_not_there_is_said() -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1"):
        await anext(open_source("bus", KAFKA).batches(b""))


@pytest.mark.parametrize(
    ("module", "config", "extra"),
    [("aiokafka", KAFKA, "tocsin[kafka]"), ("nats", SourceConfig(nats="nats://x", subject="y"), "tocsin[nats]")],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, config: SourceConfig, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SourceError, match="is not installed") as caught:
        open_source("bus", config)
    assert extra in str(caught.value.hint)


MAPPING = """
profile: flows
message: "Gateway blocked {rule}"
reader: {format: parquet}
ip: {paths: [client]}
level: {path: score, bands: [{min: 80, level: HIGH}, {min: 20, level: LOW}]}
timestamp: {paths: [when]}
fields: {rule: rule}
"""


def _parquet(path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "client": ["1.2.3.4", "1.2.3.5", None],
            "score": [90, 30, 90],
            "when": [NOW - timedelta(hours=1)] * 3,
            "rule": ["sql", "scan", "x"],
        }
    )
    parquet.write_table(table, path)


@pytest.mark.slow
def test_a_parquet_file_is_read_by_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(MAPPING)
    _parquet(tmp_path / "flows.parquet")
    form = mapping_format(tmp_path / "mine.yaml")
    with open_source_input(str(tmp_path / "flows.parquet"), form) as source:
        parts = list(source.pieces(Reading(now=NOW, source="x")))
    claims = [claim for part in parts for claim in part.claims if isinstance(claim, Signal)]
    assert [(claim.ip, str(claim.level), claim.message) for claim in claims] == [
        ("1.2.3.4", "HIGH", "Gateway blocked sql"),
        ("1.2.3.5", "LOW", "Gateway blocked scan"),
    ]
    assert {claim.observed for claim in claims} == {NOW - timedelta(hours=1)}
    assert [str(one.reason) for part in parts for one in part.skipped] == ["no_address"]


def test_what_is_no_parquet_is_counted_and_a_missing_extra_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text(MAPPING)
    (tmp_path / "x").write_bytes(b"PAR1nonsense")
    form = mapping_format(tmp_path / "mine.yaml")
    with open_source_input(str(tmp_path / "x"), form) as source:
        (part,) = source.pieces(Reading(now=NOW, source="x"))
        assert [str(one.reason) for one in part.skipped] == ["cut_off"]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with open_source_input(str(tmp_path / "x"), form) as source, pytest.raises(SourceError, match="not installed"):
        list(source.pieces(Reading(now=NOW, source="x")))


async def test_a_pipe_is_read_as_it_is_written_and_its_end_is_said(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    source = open_source("pipe", SourceConfig(path=str(path)), clock=lambda: NOW)
    assert isinstance(source, PipeSource)
    gone_on = asyncio.Event()
    loop = asyncio.get_running_loop()

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            file.write(JSONL % b"1.2.3.4" + b"\n" + (JSONL % b"1.2.3.5")[:9])
            asyncio.run_coroutine_threadsafe(gone_on.wait(), loop).result(10)
            file.write((JSONL % b"1.2.3.5")[9:])

    writer = Thread(target=write)
    writer.start()
    batches = source.batches(b"")
    first = await anext(batches)
    gone_on.set()
    await anext(batches)
    rest = [await anext(batches)]
    writer.join()
    assert [claim.ip for batch in (first, *rest) for claim in batch.claims] == ["1.2.3.4", "1.2.3.5"]
    with pytest.raises(SourceError, match="has come to its end"):
        [batch async for batch in batches]
