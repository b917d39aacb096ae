"""The doors without a framework between: which function answers a method and path."""

import re
from collections.abc import Awaitable, Callable, Mapping

from tocsin.org.http.errors import method_not_allowed
from tocsin.org.http.exchange import Exchange

Door = Callable[[Exchange], Awaitable[None]]
_NONE: Mapping[str, Door] = {}
_NAME = re.compile(r"\{[^}]*\}")


class Doors:
    """Finds a door in two look-ups of a dictionary, or by one of the few patterns."""

    def __init__(self, doors: Mapping[tuple[str, str], Door]) -> None:
        """
        Args:
            doors: by method and path; a name in braces stands for one or more characters, `/` among them at the end.
        """
        self._at: dict[str, dict[str, Door]] = {}
        for (method, path), door in doors.items():
            self._at.setdefault(path, {})[method] = door
        self._patterns = [(_pattern(path), methods) for path, methods in self._at.items() if "{" in path]

    def routes(self) -> set[tuple[str, str]]:
        """Method and path of every door; `{}` stands for a name."""
        return {(method, _NAME.sub("{}", path)) for path, methods in self._at.items() for method in methods}

    def at(self, path: str) -> Mapping[str, Door]:
        """The doors at `path` by method; none for an unknown path."""
        methods = self._at.get(path)
        if methods is None:
            for pattern, found in self._patterns:
                if pattern.fullmatch(path):
                    return found
        return methods or _NONE

    def find(self, method: str, path: str) -> Door | None:
        """The door for a request, None when nothing is at `path`. Raises Refusal (405)."""
        methods = self.at(path)
        door = methods.get(method)
        if door is None and methods:
            raise method_not_allowed()
        return door


def _pattern(path: str) -> re.Pattern[str]:
    before, *after = _NAME.split(path)
    names = [re.escape(part) for part in after]
    return re.compile(re.escape(before) + "".join(("[^/]+" if part else ".+") + part for part in names))
