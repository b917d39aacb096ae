"""Headers of an answer: names in any case, several values for one name kept apart."""

from collections.abc import Iterable, Iterator, Mapping

_HIDDEN = frozenset({"set-cookie", "dpop-nonce"})


class Headers(Mapping[str, str]):
    """
    A read-only mapping. A name that came more than once reads as its values joined by `, ` (RFC 9110, 5.3).

    `repr` hides the values that let someone act as the caller.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def all(self, name: str) -> list[str]:
        """Every value that came under `name`, in order; empty when none did."""
        return list(self._values.get(name.lower(), ()))

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr({name: "(hidden)" if name in _HIDDEN else self[name] for name in self})
