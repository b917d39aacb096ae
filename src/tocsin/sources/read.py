"""From an input to signals: open it, find its format, cut it into records, read those, vet what they claim."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from tocsin.signals import Retraction, Signal, Skipped, SkipReason
from tocsin.sources.errors import SourceError
from tocsin.sources.format import Format
from tocsin.sources.formats import format_of
from tocsin.sources.opening import Opened, open_input
from tocsin.sources.reading import Block, Found, Reading
from tocsin.sources.sample import BINARY, Sample
from tocsin.sources.vetting import SIGNALS_AT_ONCE, Vetting


class Piece(NamedTuple):
    """What some records of an input came to."""

    records: int
    claims: list[Signal | Retraction]
    skipped: list[Skipped]
    end: int
    """Where the next piece begins: bytes from the start of the input, decompressed."""
    latest_ended: datetime | None = None
    """Of the last piece of an input: when the last of what has expired in it was observed."""


class Input(NamedTuple):
    """An open input whose format is known."""

    opened: Opened
    form: Format
    sample: Sample | None = None
    """Its beginning, where that was looked at."""

    @property
    def by_content(self) -> Format | None:
        """What it would be taken for by its content, whatever it was said to be; None when no format knows it."""
        try:
            return None if self.sample is None else format_of(self.sample, name=self.opened.name)
        except SourceError:
            return None

    def pieces(self, reading: Reading) -> Iterator[Piece]:
        """What there is, in order, as it is read; nothing is kept in memory. Where it breaks off, that is skipped."""
        reader, vetting, seen = self.form.reader(reading), Vetting(reading), _Seen()
        block, start = Block(range(0), [], 0), 0
        for block in self.form.records(self.opened):
            for part in _parts(reader.read(block), block, vetting, start):
                seen.note(part, block)
                yield part
            start = block.end
        last = Block(range(0), [], block.end)
        part = piece(reader.end(), last, vetting)
        seen.note(part, last)
        if self.opened.cut_off is not None:
            part = part._replace(skipped=[*part.skipped, broken_off(self.opened, block)])
        self.opened.cut_off = self.opened.cut_off or seen.why_not_whole
        yield part._replace(latest_ended=vetting.latest_ended)


@contextmanager
def open_source_input(path: str, form: Format | None = None) -> Iterator[Input]:
    """
    The input at `path`, or standard input for `-`; its format is found by content when None.

    Raises: SourceError, when it cannot be opened, is in no known format or is not of the kind that `form` reads.
    """
    with open_input(path) as opened:
        sample = Sample(opened.head, name=path, whole=opened.whole)
        yield Input(opened, _form_of(opened, sample) if form is None else _fitting(form, sample, opened.name), sample)


def _form_of(opened: Opened, sample: Sample) -> Format:
    try:
        return format_of(sample, name=opened.name)
    except SourceError:
        if opened.cut_off is None:
            raise
        text = f"{opened.name} breaks off before its format can be told: {opened.cut_off}"
        raise SourceError(text, hint="fetch it again; --format NAME reads what there is of it") from None


def _fitting(form: Format, sample: Sample, name: str) -> Format:
    for magic, kind in BINARY.items():
        if sample.head.startswith(magic) and form.magic != magic:
            reads = BINARY.get(form.magic, "text")
            hint = "read it without --format, or by a mapping with the fitting format under [reader]"
            raise SourceError(f"{name} is {kind}, and {form.name} reads {reads}", hint=hint)
    return form


def read_source(path: str, reading: Reading, *, form: Format | None = None) -> Iterator[Signal | Retraction | Skipped]:
    """
    Everything in one input, as it is read.

    Yields: a Signal for each claim, and a Skipped for each record that became none (comments and blanks aside).
    Raises: SourceError, when the input cannot be opened or is in no known format.
    """
    with open_source_input(path, form) as source:
        for part in source.pieces(reading):
            yield from part.claims
            yield from part.skipped


def piece(found: Found, block: Block, vetting: Vetting) -> Piece:
    """What one block came to, from what a reader found in it."""
    vetted = vetting.vet(found.claims, block)
    skipped = [*block.broken, *found.skipped, *vetted.skipped]
    return Piece(found.records + len(block.broken), vetted.claims, skipped, block.end)


def _parts(found: Found, block: Block, vetting: Vetting, start: int) -> Iterator[Piece]:
    """What one block came to: one piece, unless the addresses of its networks would fill memory."""
    records, claims, skipped = found.records + len(block.broken), list[Signal | Retraction](), list[Skipped]()
    skipped += (*block.broken, *found.skipped)
    for at in range(0, len(found.claims), vetting.claims_at_once):
        vetted = vetting.vet(found.claims[at : at + vetting.claims_at_once], block)
        claims += vetted.claims
        skipped += vetted.skipped
        if len(claims) >= SIGNALS_AT_ONCE:
            yield Piece(records, claims, skipped, start)
            records, claims, skipped = 0, [], []
    yield Piece(records, claims, skipped, block.end)


class _Seen:
    """Whether what was read can be all that there was to say, by its records."""

    def __init__(self) -> None:
        self._lost: str | None = None
        self._sound = self._broken = False

    def note(self, part: Piece, block: Block) -> None:
        """One more piece, and the block it came from."""
        for one in block.broken:
            if one.reason in _LOST:
                self._lost = one.detail
        if not self._sound:
            self._sound = bool(part.claims) or any(not one.reason.broken for one in part.skipped)
            self._broken = self._broken or bool(part.skipped)

    @property
    def why_not_whole(self) -> str | None:
        """None when nothing speaks against it."""
        if self._broken and not self._sound:
            return "it holds nothing but broken records"  # such as a page that says "come back later"
        return self._lost


_LOST = (SkipReason.CUT_OFF, SkipReason.TOO_LONG)


def broken_off(opened: Opened, block: Block) -> Skipped:
    """What there is to say of an input that broke off, after the last `block` of it."""
    number = block.numbers[-1] if block.numbers else 0
    detail = f"{opened.name} breaks off after record {number:,}: {opened.cut_off}"
    return Skipped(SkipReason.CUT_OFF, number, detail, "")
