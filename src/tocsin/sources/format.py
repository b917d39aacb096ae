"""What a format is: how it is known, cut into records, and read."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from tocsin.sources.framing.journal import journal_or_lines
from tocsin.sources.opening import Opened
from tocsin.sources.reading import Block, Reader, Reading
from tocsin.sources.sample import Sample


def text_lines(opened: Opened) -> Iterator[Block]:
    """The records of a format whose records are lines, also where a journal holds them."""
    return journal_or_lines(opened.chunks())


def no_header(_head: bytes) -> bytes:
    """Of a format whose records explain themselves."""
    return b""


class Format(Struct, frozen=True, kw_only=True):
    """One input format."""

    name: str
    title: str
    """What it is, in one line: the tool, what becomes which level, how long it holds."""
    group: str
    """Heading it stands under in `tocsin formats` and in the documentation."""
    usual: str
    """Where it usually is: a path, or a command that prints it."""
    example: str
    """A record or two, as the tool writes them."""
    recognises: Callable[[Sample], bool]
    """Whether an input that begins like this is in the format. No two formats say yes to the same."""
    reader: Callable[[Reading], Reader]
    records: Callable[[Opened], Iterator[Block]] = text_lines
    """Cuts an input into records."""
    magic: bytes = b""
    """Of a format that is no text: with what a file of it begins."""
    full_list: bool = False
    """Whether an input holds all there is to say: what is no longer in it is let go."""
    grows: bool = False
    """Whether such a file is a log that a tool appends to: it is followed, and not read again from its start."""
    header: Callable[[bytes], bytes] = no_header
    """The part of a beginning that says how to read the rest: needed as well where reading goes on in the middle."""
