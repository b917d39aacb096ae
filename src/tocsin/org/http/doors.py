"""The doors without a framework between: which function answers a method and path."""

from collections.abc import Awaitable, Callable, Mapping

from tocsin.org.http.errors import method_not_allowed
from tocsin.org.http.exchange import Exchange

Door = Callable[[Exchange], Awaitable[None]]


class Doors:
    """Finds a door in two look-ups of a dictionary, or by the one prefix it stands under."""

    def __init__(self, doors: Mapping[tuple[str, str], Door]) -> None:
        """
        Args:
            doors: by method and path; a path may end with a name in braces, which stands for all that follows.
        """
        self._exact: dict[str, dict[str, Door]] = {}
        self._under: dict[str, dict[str, Door]] = {}
        for (method, path), door in doors.items():
            prefix, brace, _ = path.partition("{")
            where = self._under if brace else self._exact
            where.setdefault(prefix, {})[method] = door

    def routes(self) -> set[tuple[str, str]]:
        """Method and path of every door; `{}` stands for what may follow a prefix."""
        return {(method, path) for path, found in self._exact.items() for method in found} | {
            (method, under + "{}") for under, found in self._under.items() for method in found
        }

    def find(self, method: str, path: str) -> Door | None:
        """The door for a request, None when nothing is at `path`. Raises Refusal (405)."""
        methods = self._exact.get(path) or next((m for under, m in self._under.items() if path.startswith(under)), None)
        if methods is None:
            return None
        door = methods.get(method)
        if door is None:
            raise method_not_allowed()
        return door
