"""The journal's file: a batch is written whole or not at all."""

from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from tocsin.journal.group_commit import Append, Stale, Written
from tocsin.journal.sqlite_file import JournalFile


def test_a_batch_that_breaks_half_way_leaves_nothing_and_no_lock(tmp_path: Path) -> None:
    unstorable = cast("bytes", object())
    with closing(JournalFile(tmp_path / "journal.db", create=True, lock_wait_s=0.05)) as file:
        with pytest.raises(Exception, match="not supported"):
            file.write([Append("a", b"good", None), Append("a", unstorable, None)])
        assert file.last(None) == 0
        assert file.write([Append("a", b"next", None)]) == [Written(1)]


def test_an_append_sees_those_before_it_in_its_batch(tmp_path: Path) -> None:
    batch = [Append("a", b"", 0), Append("a", b"", 0), Append("a", b"", 1)]
    with closing(JournalFile(tmp_path / "journal.db", create=True, lock_wait_s=0.05)) as file:
        assert file.write(batch) == [Written(1), Stale(1), Written(2)]
