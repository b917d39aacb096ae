"""Inputs that come bit by bit: a growing file, a pipe, messages. Each portion is some whole records."""

import io
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator

import msgspec

from tocsin.signals import Batch, Skipped
from tocsin.sources.config import SourceConfig
from tocsin.sources.format import Format
from tocsin.sources.formats import format_of
from tocsin.sources.inputs.settings import CurrentReading, form_of
from tocsin.sources.opening import Opened
from tocsin.sources.read import Input
from tocsin.sources.sample import Sample
from tocsin.sources.source import Clock


class Portions:
    """Reads the portions of one source; counts over time go on from one to the next."""

    def __init__(self, name: str, config: SourceConfig, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`."""
        self.form = form_of(config)
        self._name = name
        self._reading = CurrentReading(name, config, clock)

    def known_by(self, head: bytes, name: str) -> Format:
        """The format, found by `head` where the configuration names none. Raises: SourceError."""
        if self.form is None:
            self.form = format_of(Sample(head.removeprefix(BOM_UTF8), name=name, whole=False), name=name)
        return self.form

    def batches(
        self, portion: bytes, position: Callable[[int], bytes], *, header: bytes = b"", line: int = 0
    ) -> Iterator[Batch]:
        """
        What some whole records come to. The format is known.

        Args:
            position: where to go on once so many bytes of the portion are durable.
            header: what of the beginning says how to read the rest, and is not counted.
            line: how many lines were before the portion.
        """
        assert self.form is not None
        reading = self._reading.now()
        opened = Opened(self._name, None, io.BytesIO(header + portion))
        shift = line - header.count(b"\n")
        for part in Input(opened, self.form).pieces(reading):
            skipped = [_moved(one, shift) for one in part.skipped] if shift else part.skipped
            at = max(0, min(part.end - len(header), len(portion)))
            yield Batch(source=self._name, claims=part.claims, skipped=skipped, position=position(at))


def _moved(skipped: Skipped, lines: int) -> Skipped:
    return msgspec.structs.replace(skipped, line=skipped.line + lines)
