"""What is wrong with a value, said once for every place: the SDK before it sends, the org when it refuses."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from tocsin.errors import TocsinError

_SHOWN = 5


class ProblemKind(StrEnum):
    """What kind of rule was broken; the org answers SHAPE with another error code than the rest."""

    SHAPE = "shape"
    """Not JSON, or a value of the wrong JSON type, or not one of the listed words."""
    MISSING = "missing"
    """Required and absent, null or empty."""
    RULE = "rule"
    """There, of the right type, and against a rule of the field."""


class Problem(NamedTuple):
    """One thing that is wrong, and where."""

    path: str
    """JSON path from the root, such as `[3].subjects[0].ip`; empty for the whole value."""
    text: str
    kind: ProblemKind = ProblemKind.RULE

    @property
    def field(self) -> str:
        """The bare name of the field: `ip` for `[3].subjects[0].ip`; empty for the whole value."""
        return self.path.rpartition(".")[2].partition("[")[0]

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class InvalidSignals(TocsinError):
    """A list of risk events, or a provider, breaks the rules. `problems` holds all that was found, in order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(summary(self.problems))


def summary(problems: Sequence[Problem]) -> str:
    """One line: the first few problems, and how many more there are."""
    shown = "; ".join(str(problem) for problem in problems[:_SHOWN])
    more = len(problems) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown
