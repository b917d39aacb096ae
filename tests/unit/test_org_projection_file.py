"""The SQLite file of a projection when another version of its layout comes."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tocsin.org.errors import OrgError
from tocsin.org.private_sqlite import delete
from tocsin.org.projection_file import ProjectionFile

OLD = "CREATE TABLE IF NOT EXISTS old (a); CREATE INDEX IF NOT EXISTS old_by_a ON old (a);"
NEW = "CREATE TABLE IF NOT EXISTS new (b);"


def tables(file: ProjectionFile) -> set[str]:
    return {name for (name,) in file.reader.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_a_file_of_another_layout_is_made_again_when_nobody_uses_it(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    old = ProjectionFile(path, layout=1, tables=OLD)
    with old.applying(7):
        old.db.execute("INSERT INTO old VALUES (1)")
    with pytest.raises(OrgError, match="in use by another version") as caught:
        ProjectionFile(path, layout=2, tables=NEW)
    assert "stop that one first" in str(caught.value.hint)
    with old.applying(8):
        old.db.execute("INSERT INTO old VALUES (2)")
    again = ProjectionFile(path, layout=1, tables=OLD)
    assert (again.cursor(), again.reader.execute("SELECT a FROM old").fetchall()) == (8, [(1,), (2,)])
    again.close()
    old.close()
    new = ProjectionFile(path, layout=2, tables=NEW)
    assert (new.cursor(), tables(new)) == (0, {"cursor", "new"})
    new.close()


def test_with_the_file_goes_what_sqlite_keeps_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    file = ProjectionFile(path, layout=1, tables=OLD)
    with closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as killed:
        killed.execute("BEGIN EXCLUSIVE")
        killed.execute("CREATE TABLE t (a)")
        # As one that is killed while it makes the file again leaves it: SQLite would roll it back into the next one.
        shutil.copy(tmp_path / "other.db-journal", tmp_path / "p.db-journal")
    assert {beside.name for beside in tmp_path.glob("p.db*")} == {"p.db", "p.db-journal", "p.db-wal", "p.db-shm"}
    delete(path)
    assert list(tmp_path.glob("p.db*")) == []
    file.close()
