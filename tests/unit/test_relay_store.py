"""The file under the outbox."""

import fcntl
from pathlib import Path

import pytest

from tocsin.relay import Outbox, RelayError
from tocsin.relay.intake import Prepared
from tocsin.relay.store import Store

T0_MS = 1_770_110_100_000
MAPPED = bytes(10) + b"\xff\xff"


def _fill(outbox: Outbox, count: int) -> None:
    rows = [(MAPPED + n.to_bytes(4, "big"), 3, T0_MS, T0_MS + 60_000, b"x" * 400) for n in range(count)]
    outbox.take_in([Prepared("list", rows)], now_ms=T0_MS)


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    Outbox(tmp_path / "outbox").close()
    assert (tmp_path / "outbox").stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "outbox").iterdir())


def test_what_another_version_wrote_is_left_as_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "outbox")
    with store.writing() as txn:
        txn.put(b"schema", b"99", db=store.books)
    store.close()
    with pytest.raises(RelayError, match="schema 99"):
        Outbox(tmp_path / "outbox")


def test_a_path_that_cannot_be_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    with pytest.raises(RelayError, match="cannot be used"):
        Outbox(tmp_path / "outbox")


def test_what_is_mostly_free_is_given_back_unless_someone_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "outbox"
    outbox = Outbox(path)
    _fill(outbox, 20_000)
    while outbox.wake(now_ms=T0_MS + 120_000, limit=5_000):
        assert outbox.sources()["list"].taken == 20_000
    outbox.close()
    full = (path / "data.mdb").stat().st_size
    with (path / "in-use").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        Store(path, compact_from_bytes=1).close()
        assert (path / "data.mdb").stat().st_size == full
    Store(path, compact_from_bytes=1).close()
    assert (path / "data.mdb").stat().st_size < full / 10
    again = Outbox(path)
    assert (again.sources()["list"].taken, len(again)) == (20_000, 0)
    again.close()
