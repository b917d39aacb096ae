"""From an input to signals: open it, find its format, read it line by line, hold each signal to the common rules."""

from collections.abc import Iterator
from itertools import chain, islice

from tocsin.signals import Signal, Skipped, SkipReason
from tocsin.signals.special_addresses import why_not_global
from tocsin.sources.formats import Format, format_of
from tocsin.sources.reading import FUTURE_TOLERANCE, Line, Reading, skipped
from tocsin.sources.text import display_name, open_lines

_SAMPLE_LINES = 50


def read_source(path: str, reading: Reading, *, form: Format | None = None) -> Iterator[Signal | Skipped]:
    """
    Everything in one input, in order, as it is read; nothing is kept in memory.

    Args:
        path: a file, plain or gzip, or `-` for standard input.
        form: the format; found by content when None.
    Yields: a Signal for each claim, and a Skipped for each line that became none (comments and blanks aside).
    Raises: SourceError, when the input cannot be read, breaks off, or is in no known format.
    """
    with open_lines(path) as lines:
        sample = list(islice(lines, _SAMPLE_LINES))
        form = form or format_of([line.text for line in sample], name=display_name(path))
        reader = form.reader(reading)
        for line in chain(sample, lines):
            found = reader.read(line)
            if isinstance(found, Signal):
                yield _vetted(found, line, reading)
            elif found is not None:
                yield found


def _vetted(signal: Signal, line: Line, reading: Reading) -> Signal | Skipped:
    if signal.expires <= reading.now:
        detail = f"claimed until {signal.expires.isoformat(timespec='seconds')}, which has passed"
        return skipped(line, SkipReason.EXPIRED, detail)
    if signal.observed > reading.now + FUTURE_TOLERANCE:
        detail = f"observed at {signal.observed.isoformat(timespec='seconds')}, which is yet to come: check the clock"
        return skipped(line, SkipReason.BAD_TIME, detail)
    why = None if reading.allow_non_global else why_not_global(signal.ip)
    return skipped(line, SkipReason.NOT_GLOBAL, f"{signal.ip} is {why}") if why else signal
