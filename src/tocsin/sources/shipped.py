"""The list that comes with Tocsin: a real one, for demonstrations and tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files


@contextmanager
def shipped_list() -> Iterator[str]:
    """
    Path of an extract of ipsum: 30,000 addresses on two or more blocklists, the most dangerous first.

    It is dated 22 Aug 2026 and so has expired by its own date: read it with `Reading(as_of=now)`.
    Levels by our bands: 1,413 HIGH, 12,804 MEDIUM, 15,783 LOW.
    """
    with as_file(files("tocsin.sources") / "lists" / "ipsum-extract.txt.gz") as path:
        yield str(path)
