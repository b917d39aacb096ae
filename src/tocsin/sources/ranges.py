"""Sets of networks, asked for one address at a time: by bisection, whatever their number."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from tocsin.signals import ip_span


class AddressRanges:
    """Networks with a word for each; where they overlap, the one that begins first has the word."""

    def __init__(self, networks: Iterable[tuple[str, str]] = ()) -> None:
        """
        `networks` are pairs of a network or address, such as `10.0.0.0/8`, and what to call it.

        Raises: ValueError, which quotes what is no network.
        """
        self._lasts: list[bytes] = []
        self._words: list[str] = []
        self._starts: list[bytes] = []
        for first, last, word in sorted(_span(network, word) for network, word in networks):
            if self._lasts and first <= self._lasts[-1]:
                self._lasts[-1] = max(last, self._lasts[-1])
                continue
            self._starts.append(first)
            self._lasts.append(last)
            self._words.append(word)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __len__(self) -> int:
        return len(self._starts)

    def spans(self) -> Iterator[tuple[bytes, bytes]]:
        """The keys of the first and the last address of each network."""
        return zip(self._starts, self._lasts, strict=True)

    def word(self, key: bytes) -> str | None:
        """What the network that holds the address with this key is called; None when there is none."""
        at = bisect_right(self._starts, key) - 1
        return self._words[at] if at >= 0 and key <= self._lasts[at] else None


def _span(network: str, word: str) -> tuple[bytes, bytes, str]:
    return *ip_span(network, strict=False), word
