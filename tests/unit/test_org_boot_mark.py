"""Who may trust an index that the machine went down with, and who waits until it is made again."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import lmdb
import pytest

from tocsin.journal import Entry
from tocsin.org.boot_mark import BOOT_ID, BootMark
from tocsin.org.errors import OrgError
from tocsin.org.risk_index import RiskIndex

_Result = TypeVar("_Result")
WAITING_S = 0.2
AT_MOST_S = 10.0


def shared(note: Path, *, boot_id: Path = BOOT_ID) -> BootMark:
    mark = BootMark(note, boot_id=boot_id)
    if mark.alone:
        mark.share()
    return mark


def in_thread(work: Callable[[], _Result]) -> "Future[_Result]":
    pool = ThreadPoolExecutor(max_workers=1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def waits(future: "Future[_Result]") -> bool:
    try:
        future.result(WAITING_S)
    except TimeoutError:
        return True
    return False


def test_a_clean_end_leaves_an_empty_note(tmp_path: Path) -> None:
    first, second = shared(tmp_path / "note"), shared(tmp_path / "note")
    assert not first.torn
    assert not second.torn
    first.leave()
    assert (tmp_path / "note").read_bytes() != b""
    second.leave()
    assert (tmp_path / "note").read_bytes() == b""


def test_a_killed_process_of_this_boot_tore_nothing_and_one_of_another_did(tmp_path: Path) -> None:
    note = tmp_path / "note"
    shared(note).leave()
    mark = shared(note)
    this_boot = note.read_bytes()
    mark.leave()
    note.write_bytes(this_boot)
    again = shared(note)
    assert not again.torn
    again.leave()
    note.write_bytes(b"another boot")
    torn = BootMark(note)
    assert torn.torn
    assert note.read_bytes() not in (b"", this_boot)  # until the file is remade: a crash before that must not hide it
    torn.share()
    assert note.read_bytes() == this_boot
    torn.leave()
    assert note.read_bytes() == b""


def test_where_boots_have_no_id_what_was_not_left_cleanly_is_torn(tmp_path: Path) -> None:
    note, none = tmp_path / "note", tmp_path / "none"
    first = shared(note, boot_id=none)
    in_use = note.read_bytes()
    second = shared(note, boot_id=none)
    assert (first.torn, second.torn) == (False, False)
    first.leave()
    second.leave()
    assert note.read_bytes() == b""
    note.write_bytes(in_use)
    torn = BootMark(note, boot_id=none)
    assert torn.torn
    other = in_thread(lambda: BootMark(note, boot_id=none))
    assert waits(other)
    torn.abandon()
    heir = other.result(AT_MOST_S)
    assert heir.torn
    heir.abandon()


def test_nobody_uses_a_torn_file_before_it_is_remade(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_bytes(b"another boot")
    remover = BootMark(note)
    assert remover.torn
    other = in_thread(lambda: BootMark(note))
    assert waits(other)
    remover.share()
    entered = other.result(AT_MOST_S)
    assert (entered.torn, entered.alone) == (False, False)
    remover.leave()
    entered.leave()
    assert note.read_bytes() == b""


def test_when_the_remover_dies_one_who_waited_remakes_the_file(tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_bytes(b"another boot")
    remover = BootMark(note)
    other = in_thread(lambda: BootMark(note))
    assert waits(other)
    remover.abandon()
    heir = other.result(AT_MOST_S)
    assert (heir.torn, heir.alone) == (True, True)
    heir.share()
    heir.leave()


def test_an_index_is_not_opened_while_another_process_removes_the_torn_one(tmp_path: Path) -> None:
    path, note = tmp_path / "index", tmp_path / "index.boot"
    path.mkdir()
    (path / "data.mdb").write_bytes(b"torn")
    note.write_bytes(b"another boot")
    remover = BootMark(note)
    opened = in_thread(lambda: RiskIndex(path))
    assert waits(opened)
    (path / "data.mdb").unlink()
    remover.share()
    index = opened.result(AT_MOST_S)
    assert index.cursor() == 0
    remover.leave()
    index.close()


def test_a_torn_index_that_cannot_be_removed_is_not_used(tmp_path: Path) -> None:
    path, note = tmp_path / "index", tmp_path / "index.boot"
    path.write_bytes(b"not a folder")
    note.write_bytes(b"another boot")
    for _ in range(2):  # the first must not leave the note, or a lock, for the second to stumble over
        with pytest.raises(OrgError, match="not a folder"):
            RiskIndex(path)
    path.unlink()
    index = RiskIndex(path)
    index.close()


def test_an_index_of_another_layout_is_made_again_when_nobody_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "index"
    made = RiskIndex(path)
    made.apply([Entry(7, "other", b"")])
    made.close()
    set_layout(path, b"another")
    user = shared(tmp_path / "index.boot")
    with pytest.raises(OrgError, match="another version") as caught:
        RiskIndex(path)
    assert "stop" in str(caught.value.hint)
    assert layout_of(path) == b"another"
    user.leave()
    again = RiskIndex(path)
    assert again.cursor() == 0
    again.close()


def set_layout(path: Path, layout: bytes) -> None:
    with lmdb.open(str(path), max_dbs=3) as env, env.begin(write=True) as txn:
        txn.put(b"layout", layout, db=env.open_db(b"meta", txn=txn))


def layout_of(path: Path) -> bytes | None:
    with lmdb.open(str(path), max_dbs=3) as env, env.begin(write=True) as txn:
        return txn.get(b"layout", db=env.open_db(b"meta", txn=txn))
