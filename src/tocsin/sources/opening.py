"""Opens an input: plain or compressed by content, from a file or standard input, as chunks of bytes."""

import gzip
import sys
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, IncrementalDecoder, getincrementaldecoder
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol, cast

from tocsin.sources.errors import SourceError

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdError, ZstdFile
else:
    from backports.zstd import ZstdError, ZstdFile

STDIN = "-"
CHUNK_BYTES = 256 * 1024
"""Of the first chunk, by which an input is known."""
_FURTHER_BYTES = 64 * 1024  # what is made of so much is vetted before it has left the processor's cache
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_BROKEN = (OSError, EOFError, zlib.error, ZstdError)


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


class Opened:
    """An input that is being read, once, from its start."""

    def __init__(self, name: str, path: Path | None, stream: _Readable) -> None:
        self.name = name
        """What to call it in a message."""
        self.path = path
        """None for standard input, and for what is not on disk."""
        self.cut_off: str | None = None
        """
        Why it is not all that it should be, once all of it was read: it broke off, or holds nothing but broken records.

        Then nothing follows from what is missing in it.
        """
        self._stream = stream
        self._head: bytes | None = None
        self._ended = False
        self._decoder: IncrementalDecoder | None = None

    @property
    def head(self) -> bytes:
        """Its first bytes, decompressed, for a look at what it is: all of it when it is smaller than a chunk."""
        if self._head is None:
            head = self._read(CHUNK_BYTES)
            if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
                self._decoder = getincrementaldecoder("utf-16")(errors="replace")
                head = self._decoder.decode(head).encode()
            self._head = head.removeprefix(BOM_UTF8)
        return self._head

    @property
    def whole(self) -> bool:
        """Whether `head` is all there is."""
        return not self.head or self._ended

    def chunks(self) -> Iterator[bytes]:
        """The bytes, decompressed, as UTF-8 where a byte order mark tells of UTF-16."""
        chunk = self.head
        while chunk:
            following = self._read(_FURTHER_BYTES) if self.cut_off is None else b""
            if self.cut_off is not None:
                # Half a line is no record: 203.0.113.25 may have been 203.0.113.254.
                chunk = (chunk + following).rpartition(b"\n")[0] + b"\n"
                following = b""
            yield chunk
            chunk = following

    def _read(self, most: int) -> bytes:
        pieces, size = list[bytes](), 0
        try:
            # A pipe hands over what it has; a look at what an input is wants a whole chunk.
            while size < most and not self._ended:
                piece = self._stream.read1(most - size)
                pieces.append(piece)
                size += len(piece)
                self._ended = not piece
        except _BROKEN as error:
            self.cut_off = _why(error)
            self._ended = True
        raw = b"".join(pieces)
        return raw if self._decoder is None else self._decoder.decode(raw).encode()


@contextmanager
def open_input(path: str) -> Iterator[Opened]:
    """
    The input at `path`, or standard input for `-`.

    Raises: SourceError, when it cannot be opened. Where it breaks off later, `Opened.cut_off` says so.
    """
    with ExitStack() as stack:
        name = display_name(path)
        try:
            file = _stdin() if path == STDIN else stack.enter_context(Path(path).open("rb"))
            stream = decompressed(file, file.peek(len(_ZSTD_MAGIC)), stack)
        except (OSError, ValueError) as error:
            hint = "name the files in it" if isinstance(error, IsADirectoryError) else "check the path"
            raise SourceError(f"{name} cannot be read: {_why(error)}", hint=hint) from None
        yield Opened(name, None if path == STDIN else Path(path), stream)


def decompressed(file: BufferedReader, magic: bytes, stack: ExitStack) -> _Readable:
    """`file`, or what is packed in it when its first bytes, `magic`, are those of gzip or zstd."""
    if magic.startswith(_GZIP_MAGIC):
        return stack.enter_context(gzip.GzipFile(fileobj=file))
    if magic.startswith(_ZSTD_MAGIC):
        return stack.enter_context(ZstdFile(file))
    return file


@contextmanager
def on_disk(opened: Opened, magic: bytes) -> Iterator[Path]:
    """An input as a file that begins with `magic`, for formats that are not read in order: copied where it is none."""
    if opened.path is not None and _begins(opened.path, magic):
        yield opened.path
        return
    with ExitStack() as stack:
        try:
            copy = stack.enter_context(NamedTemporaryFile(prefix="tocsin-"))
            for chunk in opened.chunks():
                copy.write(chunk)
            copy.flush()
        except OSError as error:
            hint = "make room where temporary files are kept"
            raise SourceError(f"{opened.name} cannot be copied to be read: {_why(error)}", hint=hint) from None
        yield Path(copy.name)


def _begins(path: Path, magic: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def display_name(path: str) -> str:
    """What to call the input in a message."""
    return "standard input" if path == STDIN else path


def _stdin() -> BufferedReader:
    return cast("BufferedReader", sys.stdin.buffer)  # not ours to close


def _why(error: Exception) -> str:
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__
