"""What the inputs of a `tocsin send` come to."""

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.virtual_time import run_virtually
from tocsin.cli.intake import BATCH_CLAIMS, AllExpired, HowToRead, Intake, all_expired
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
    intake = Intake()
    *batches, end = intake.batches([str(path)], HowToRead(now=NOW, form=format_named(name)))
    assert (end.source, end.claims, end.ends_list) == (str(path), [], ends_list)
    assert sum(len(batch.claims) for batch in batches) == intake.signals == claims
    assert sum(len(batch.skipped) for batch in batches) == intake.skipped.total()


def test_a_file_that_is_named_twice_is_one_list(tmp_path: Path) -> None:
    path, other = tmp_path / "list", tmp_path / "other"
    path.write_bytes(LISTED)
    other.write_bytes(LISTED)
    intake = Intake()
    names = [str(path), str(other), str(path)]
    batches = list(intake.batches(names, HowToRead(now=NOW)))
    assert [batch.source for batch in batches if batch.ends_list] == [str(other), str(path)]
    assert batches[-1].ends_list
    assert [account.coalesced for account in intake.files] == [0, 0, 0]


def test_a_batch_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("".join(f"8.8.{n >> 8 & 255}.{n & 255}\t9\n" for n in range(BATCH_CLAIMS * 3)))
    intake = Intake()
    batches = intake.batches([str(path)], HowToRead(now=NOW))
    next(batches)
    assert BATCH_CLAIMS <= intake.signals < 2 * BATCH_CLAIMS
    assert max(len(batch.claims) for batch in batches) < 2 * BATCH_CLAIMS
    assert intake.signals == BATCH_CLAIMS * 3
    assert intake.files[0].addresses == min(BATCH_CLAIMS * 3, 65_536)


def test_what_looks_like_another_format_and_holds_nothing_in_the_named_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(EVENT)
    for forced, rather in (("ipsum", "jsonl"), ("jsonl", None), (None, None)):
        intake = Intake()
        list(intake.batches([str(path)], HowToRead(now=NOW, form=format_named(forced) if forced else None)))
        found = intake.files[0].rather
        assert (found and found.name) == rather


def test_what_time_alone_has_ended_is_told_with_the_way_to_send_it(tmp_path: Path) -> None:
    path, then = tmp_path / "list", datetime(2020, 8, 22, tzinfo=UTC)
    path.write_text("# Last update: Sat, 22 Aug 2020 03:00:29 +0200\n8.8.8.8\t5\n")

    def expected(as_of: datetime | None) -> AllExpired | None:
        how, intake = HowToRead(now=NOW, as_of=as_of), Intake()
        list(intake.batches([str(path)], how))
        return all_expired(intake, how)

    plain, dated, back_then = expected(None), expected(NOW - timedelta(days=30)), expected(then + timedelta(hours=6))
    assert plain is not None
    assert dated is not None
    assert back_then is not None
    assert "--as-of 2020-08-22T01:00:29Z" in str(plain.hint)
    assert "by that it has ended" in str(dated.hint)
    assert "held at the time of --as-of" in str(back_then)
    assert "--as-of now" in str(back_then.hint)
    assert expected(NOW) is None


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
