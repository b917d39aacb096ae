"""How many requests are under way at a time. Source: spec 2.6."""

from collections.abc import Iterator
from contextlib import contextmanager


class InFlight:
    """The requests that are under way, of at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0

    @property
    def is_full(self) -> bool:
        """Whether there are as many as may be."""
        return self._count >= self._most

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """One that is under way."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    @contextmanager
    def one_less(self) -> Iterator[None]:
        """
        One of them waits for a client that has not yet told who it is, so it does not count: whoever stalls would keep
        all others out.
        """
        self._count -= 1
        try:
            yield
        finally:
            self._count += 1
