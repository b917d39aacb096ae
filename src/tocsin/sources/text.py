"""Lines of a file or of standard input, plain or gzip by content, one at a time."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import cast

from tocsin.sources.errors import SourceError
from tocsin.sources.reading import Line

STDIN = "-"
_GZIP_MAGIC = b"\x1f\x8b"
_LINE_BYTES = 64 * 1024  # far beyond any record; what is longer is cut, so that a file of one line cannot fill memory


@contextmanager
def open_lines(path: str) -> Iterator[Iterator[Line]]:
    """
    The lines of `path`, or of standard input for `-`.

    What is not UTF-8 shows as U+FFFD, and a line over 64 KiB is cut: both then fail as the record they should be.
    Raises: SourceError; the iterator too, for example when gzip data is broken off.
    """
    with ExitStack() as stack:
        yield _lines(_open(path, stack), display_name(path))


def display_name(path: str) -> str:
    """What to call the input in a message."""
    return "standard input" if path == STDIN else path


def _open(path: str, stack: ExitStack) -> BufferedIOBase:
    try:
        file = _stdin() if path == STDIN else stack.enter_context(Path(path).open("rb"))  # noqa: SIM115 - the stack closes it
        if file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC):
            return stack.enter_context(gzip.GzipFile(fileobj=file))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{display_name(path)} cannot be read: {_why(error)}", hint="nothing of it was sent; check the path"
        ) from None
    return file


def _stdin() -> BufferedReader:
    return cast("BufferedReader", sys.stdin.buffer)  # not ours to close


def _lines(file: BufferedIOBase, name: str) -> Iterator[Line]:
    number = 0
    try:
        while raw := file.readline(_LINE_BYTES):
            number += 1
            if len(raw) == _LINE_BYTES:
                _pass_over_rest(file, raw)
            text = raw.decode(errors="replace")
            yield Line(number, (text.removeprefix("\ufeff") if number == 1 else text).rstrip("\r\n"))
    except (OSError, EOFError, zlib.error) as error:
        text = f"{name} breaks off after line {number}: {_why(error)}"
        raise SourceError(text, hint="nothing of it was sent; fetch or compress the file again") from None


def _pass_over_rest(file: BufferedIOBase, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(_LINE_BYTES)


def _why(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__
