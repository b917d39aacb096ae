"""What the inputs of a `tocsin send` come to."""

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.virtual_time import run_virtually
from tocsin.cli.intake import HowToRead, take_in
from tocsin.cli.send_state import Order, forget
from tocsin.relay import only_relay
from tocsin.sources import format_named

NOW = datetime(2026, 2, 3, 9, 15, tzinfo=UTC)
LISTED = b"8.8.8.8\t9\n9.9.9.9\t9\n"
EVENT = b'{"ip":"8.8.8.8","riskLevel":"HIGH"}\n'


@pytest.mark.parametrize(
    ("name", "content", "claims", "ends_list"),
    [
        ("ipsum", LISTED, 2, True),
        ("ipsum", b"", 0, True),
        ("ipsum", b"# nothing today\n", 0, True),
        ("ipsum", b"<html>\n<p>busy</p>\n", 0, False),
        ("ipsum", gzip.compress(LISTED, mtime=0)[:-6], 2, False),
        ("jsonl", EVENT, 1, False),
        ("jsonl", b"", 0, False),
    ],
)
def test_only_a_list_that_was_read_to_its_end_lets_go_what_it_does_not_hold(
    tmp_path: Path, name: str, content: bytes, claims: int, ends_list: bool
) -> None:
    path = tmp_path / "input"
    path.write_bytes(content)
    intake = take_in([str(path)], HowToRead(now=NOW, form=format_named(name)))
    (batch,) = intake.batches
    assert (batch.source, len(batch.claims), batch.ends_list) == (str(path), claims, ends_list)
    assert len(batch.skipped) == intake.skipped.total()


def test_a_file_that_is_named_twice_is_one_list(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(LISTED)
    (batch,) = take_in([str(path), str(path)], HowToRead(now=NOW)).batches
    assert (len(batch.claims), batch.ends_list) == (4, True)


def test_what_is_only_counted_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(LISTED)
    intake = take_in([str(path)], HowToRead(now=NOW), keep=False)
    assert (intake.signals, intake.batches) == (2, [])


def test_an_order_that_reads_standard_input_is_not_remembered() -> None:
    assert Order("https://org.example", ("list.txt",)).folder != Order("https://org.example", ("other.txt",)).folder
    assert Order("https://org.example", ("list.txt", "-")).folder is None


def test_what_is_done_with_is_forgotten_and_what_another_send_uses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    names = ("done", "used", "old", "old and used", "new")
    done, used, old, old_used, new = (tmp_path / "tocsin" / "send" / name for name in names)

    async def forget_both() -> None:
        for folder in (done, used, old, old_used, new):
            folder.mkdir(parents=True)
        async with only_relay(used), only_relay(old_used):
            for folder in (old, old_used):
                os.utime(folder, (1, 1))
            await forget(done)
            await forget(used)

    run_virtually(forget_both)
    assert sorted(done.parent.iterdir()) == sorted([used, old_used, new])
