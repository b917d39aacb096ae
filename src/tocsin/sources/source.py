"""The door of the relay to this room: a source hands over batches, and remembers nothing itself."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Protocol

from tocsin.signals import Batch

Clock = Callable[[], datetime]


class Source(Protocol):
    """One configured input, read for as long as someone asks."""

    @property
    def name(self) -> str:
        """That of all its signals."""
        ...

    def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """
        What there is after `position`, then what comes, for ever; ended by closing the iterator.

        Args:
            position: that of the last batch which is durable; `b""` to begin at the start.
        Raises: SourceError, when the input cannot be read now. Ask again from the same position later.
        """
        ...
