"""Which function answers a method and path."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from tocsin.org.http.errors import method_not_allowed

Door = Callable[..., Awaitable[None]]
"""Answers the `Exchange` that it is given, and is told by name what stands in the path."""
_NONE: Mapping[str, Door] = {}
_VALUE = re.compile(r"\{(\+?)(\w*)\}")


class Doors:
    """Finds a door in two look-ups of a dictionary, or by one of the few patterns."""

    def __init__(self, doors: Mapping[tuple[str, str], Door]) -> None:
        """
        Args:
            doors: by method and path. In a path `{name}` stands for a segment, `{+name}` for all the rest (RFC 6570),
                and `{}` for a segment of which the door is not told.
        """
        self._doors = doors
        by_path: dict[str, dict[str, Door]] = {}
        for (method, path), door in doors.items():
            by_path.setdefault(path, {})[method] = door
        self._at = {path: methods for path, methods in by_path.items() if "{" not in path}
        self._patterns = [(_pattern(path), methods) for path, methods in by_path.items() if "{" in path]

    def routes(self) -> set[tuple[str, str]]:
        """Method and path of every door; `{}` stands for a value."""
        return {(method, _VALUE.sub("{}", path)) for method, path in self._doors}

    def knows(self, path: str) -> bool:
        """Whether there is a door at `path`."""
        return bool(self._look(path)[0])

    def find(self, method: str, path: str) -> Door | None:
        """The door for a request, told what stands in its path; None when nothing is there. Raises Refusal (405)."""
        methods, values = self._look(path)
        door = methods.get(method)
        if door is None and methods:
            raise method_not_allowed(*methods, *(("HEAD",) if "GET" in methods else ()))
        return partial(door, **values) if door is not None and values else door

    def _look(self, path: str) -> tuple[Mapping[str, Door], Mapping[str, str]]:
        """The doors at `path` by method, and the values in it by name."""
        if (methods := self._at.get(path)) is not None:
            return methods, {}
        for pattern, methods in self._patterns:
            if found := pattern.fullmatch(path):
                return methods, found.groupdict()
        return _NONE, {}


def _pattern(path: str) -> re.Pattern[str]:
    before, *parts = _VALUE.split(path)
    text = re.escape(before)
    for rest, name, after in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        value = ".+" if rest else "[^/]+"
        text += (f"(?P<{name}>{value})" if name else value) + re.escape(after)
    return re.compile(text)
