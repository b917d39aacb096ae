"""From a tool's own scale to a level: tables and bands, read by people and checked when they are loaded."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tocsin.signals import RiskLevel, SkipReason
from tocsin.sources.mapping.paths import compile_path, compile_test
from tocsin.sources.mapping.profile import LevelRule, as_list

_MOST_KNOWN = 1000
_SCALARS = (str, int, float)  # by class, so without truth values: True is 1 to a dict
_LOWER = {RiskLevel.HIGH: RiskLevel.MEDIUM, RiskLevel.MEDIUM: RiskLevel.LOW, RiskLevel.LOW: RiskLevel.LOW}


class Grade(NamedTuple):
    """What level a record has, or why none; and which rule says so."""

    level: RiskLevel | None
    reason: SkipReason
    rule: str


def compile_levels(
    rules: Sequence[LevelRule], lower: Sequence[str], overrides: Mapping[str, RiskLevel]
) -> Callable[[Any], Grade]:
    """
    A function that grades a record by the first rule that has a word for it, one step lower for each `lower` that
    holds, and never lower than LOW. `overrides` come before the tables of the rules, and `*` before everything.
    """
    if "*" in overrides:
        always = Grade(overrides["*"], SkipReason.NO_LEVEL, f"the configuration gives {overrides['*']} to all of it")
        return lambda _record: always
    graders = [
        (compile_test(rule.when) if rule.when else None, _by_value(rule, overrides) if rule.path else _always(rule))
        for rule in rules
    ]
    lowering = [(compile_test(test), test) for test in lower]

    def grade(record: Any) -> Grade:
        unknown = _NOTHING
        for test, grader in graders:
            if test is not None and not test(record):
                continue
            grade = grader(record)
            if grade is not None and (grade.level is not None or grade.reason is not SkipReason.NO_LEVEL):
                break
            unknown = grade or unknown
        else:
            return unknown
        for test, text in lowering:
            if grade.level is not None and test(record):
                grade = _lowered(grade, text)
        return grade

    return grade


def _lowered(grade: Grade, test: str) -> Grade:
    assert grade.level is not None
    return Grade(_LOWER[grade.level], SkipReason.BELOW_BANDS, f"{grade.rule}, one step lower because {test}")


_NOTHING = Grade(None, SkipReason.NO_LEVEL, "no rule for the level has a word for this record")


def _always(rule: LevelRule) -> Callable[[Any], Grade | None]:
    said = _of(rule.always, f"{rule.when or 'always'} is {rule.always}")
    return lambda _record: said


def _by_value(rule: LevelRule, overrides: Mapping[str, RiskLevel]) -> Callable[[Any], Grade | None]:
    getter, path = compile_path(rule.path), rule.path
    table = {key.lower(): level for key, level in rule.table.items()} | {k.lower(): v for k, v in overrides.items()}
    bands = sorted(rule.bands, key=lambda band: band.min, reverse=True)
    known = dict[Any, Grade]()  # a tool's scale has few values; a float is a key like its integer

    def grade(record: Any) -> Grade | None:
        value = getter(record)
        if value is None or value == "":
            return None
        if value.__class__ not in _SCALARS:
            return decide(value)
        if (found := known.get(value)) is None:
            found = decide(value)
            if len(known) < _MOST_KNOWN:
                known[value] = found
        return found

    def decide(value: Any) -> Grade:
        for key in (_key(one) for one in as_list(value)):
            if key in table:
                return _of(table[key], f"{path} {key} is {table[key]}")
        number = _number(value)
        if bands and number is not None:
            for band in bands:
                if number >= band.min:
                    return _of(band.level, f"{path} {value} is {band.level}, from {band.min:g} on")
            return Grade(None, SkipReason.BELOW_BANDS, f"{path} {value} is below every band")
        return Grade(None, SkipReason.NO_LEVEL, f"{path} {str(value)[:60]!r} stands in no table")

    return grade


def _of(level: RiskLevel | str | None, rule: str) -> Grade:
    if level is None or level == "none":
        return Grade(None, SkipReason.BELOW_BANDS, rule)
    return Grade(RiskLevel(level), SkipReason.BELOW_BANDS, rule)


def _key(value: Any) -> str:
    """`"1"`, 1 and 1.0 are one key, and so are `Ip` and `ip`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower()


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
