"""A reader made from a profile: compiled once, then a handful of calls a record."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.mapping.address_forms import FORMS
from tocsin.sources.mapping.levels import Grade, compile_levels
from tocsin.sources.mapping.messages import compile_message
from tocsin.sources.mapping.paths import Getter, at_key, compile_path, compile_paths, compile_test
from tocsin.sources.mapping.profile import ExpiresRule, Profile, as_list
from tocsin.sources.mapping.times import compile_time, span
from tocsin.sources.reading import Block, Claim, Found, Reading, skipped, unreadable

Ends = Callable[[Any, datetime, RiskLevel], datetime]


class Step(NamedTuple):
    """One thing that was looked at in a record, for `explain`."""

    what: str
    found: str


class MappedReader:
    """Reads the records of one input by a profile."""

    def __init__(self, profile: Profile, reading: Reading) -> None:
        """Raises: SourceError, when an expression of the profile is none."""
        self._profile, self._reading = profile, reading
        with at_key("when"):
            self._when = compile_test(profile.when) if profile.when else None
        with at_key("skip"):
            self._skips = [(compile_test(rule.when), rule) for rule in profile.skip]
        with at_key("retract"):
            self._retracts = compile_test(profile.retract) if profile.retract else None
        with at_key("ip.paths"):
            self._addresses = compile_paths(profile.ip.paths)
        self._form = FORMS[profile.ip.form]
        # Without proxies of ours nobody forwards for anybody.
        forwarded = profile.ip.forwarded if reading.guard.proxies else ""
        with at_key("ip.forwarded"):
            self._forwarded = compile_path(forwarded) if forwarded else None
        rules = profile.level if isinstance(profile.level, tuple) else (profile.level,)
        with at_key("level"):
            self._grade = compile_levels(rules, profile.lower, reading.levels)
        with at_key("timestamp.paths"):
            self._times = compile_paths(profile.timestamp.paths)
        with at_key("timestamp.formats"):
            self._moment = compile_time(profile.timestamp.formats, reading.timezone, reading.now)
        with at_key("expires"):
            self._ends = _ends(profile.expires, reading)
        with at_key("fields"):
            self._fields = compile_paths(tuple(profile.fields.values()))
        with at_key("message"):
            self._message = compile_message(profile.message, profile.fields)

    def read(self, block: Block) -> Found:
        """See `Reader`."""
        claims, skips = list[Claim](), list[Skipped]()
        one = self._one
        for number, record in zip(block.numbers, block.records, strict=True):
            try:
                found = one(number, record)
            except Exception as error:
                found = unreadable(number, record, error)
            if found.__class__ is Claim:
                claims.append(found)
            elif found.__class__ is Skipped:
                skips.append(found)
            else:
                claims += found  # type: ignore[arg-type]
        return Found(len(block.records), claims, skips)

    def end(self) -> Found:
        """See `Reader`."""
        return Found(0, [], [])

    def _one(self, number: int, record: Any) -> Claim | list[Claim] | Skipped:
        """What a record claims; in this order, so that what was not meant is not called broken."""
        if self._when is not None and not self._when(record):
            why = f"is none that the format takes: not {self._profile.when}"
            return skipped(number, record, SkipReason.NO_CLAIM, why)
        for test, rule in self._skips:
            if test(record):
                return skipped(number, record, SkipReason(rule.reason), rule.why)
        try:
            addresses = self._candidates(record)
        except ValueError as error:
            return skipped(number, record, SkipReason.NO_ADDRESS, str(error))
        if not addresses:
            return skipped(number, record, SkipReason.NO_ADDRESS, f"nothing at {' or '.join(self._profile.ip.paths)}")
        grade = self._grade(record)
        if grade.level is None:
            return skipped(number, record, grade.reason, grade.rule)
        try:
            observed = self._observed(record)
            expires = self._ends(record, observed, grade.level)
        except (ValueError, OverflowError) as error:
            return skipped(number, record, SkipReason.BAD_TIME, str(error))
        return self._claims(number, record, addresses, grade.level, observed, expires)

    def _candidates(self, record: Any) -> list[Any]:
        found = []
        for value in self._addresses(record):
            if value and value != "-":
                found.append(value)  # noqa: PERF401 - a comprehension is a call, and longer than one or two of these
        return found if self._form is None else [self._form(value) for value in found]

    def _claims(
        self, number: int, record: Any, addresses: list[Any], level: RiskLevel, observed: datetime, expires: datetime
    ) -> Claim | list[Claim]:
        message = self._message(record)
        retracts = self._retracts is not None and self._retracts(record)
        chain = self._forwarded(record) if self._forwarded is not None else None
        forwarded = ", ".join(map(str, as_list(chain))) if chain else ""
        first = addresses[0]
        if first.__class__ is not list:
            others: tuple[str, ...] = ()
            if len(addresses) > 1:
                others = tuple([str(one) for one in addresses[1:] if one.__class__ is not list and one != first])
            return Claim(number, str(first), level, observed, expires, message, others, forwarded, retracts)
        each = dict.fromkeys(str(one) for one in first if one)
        return [Claim(number, one, level, observed, expires, message, (), forwarded, retracts) for one in each]

    def _observed(self, record: Any) -> datetime:
        for value in self._times(record):
            if value is not None and value != "":
                return self._moment(value)
        return self._reading.observed()

    def at_paths(self, record: Any) -> dict[str, Any]:
        """What stands at every path of the profile that should find something, by what it is for."""
        return self._at_ips(record) | self._at_times(record) | self._at_fields(record)

    def _at_ips(self, record: Any) -> dict[str, Any]:
        return dict(zip((f"ip at {path}" for path in self._profile.ip.paths), self._addresses(record), strict=True))

    def _at_times(self, record: Any) -> dict[str, Any]:
        names = (f"time at {path}" for path in self._profile.timestamp.paths)
        return dict(zip(names, self._times(record), strict=True))

    def _at_fields(self, record: Any) -> dict[str, Any]:
        names = (f"{name} at {path}" for name, path in self._profile.fields.items())
        return dict(zip(names, self._fields(record), strict=True))

    def explain(self, record: Any) -> Iterator[Step]:
        """What is looked at in a record, in order."""
        profile = self._profile
        if self._when is not None:
            yield Step(f"when {profile.when}", "yes" if self._when(record) else "no")
        for test, rule in self._skips:
            if test(record):
                yield Step(f"skip when {rule.when}", f"yes: {rule.why}")
        yield from _steps(self._at_ips(record))
        if self._forwarded is not None:
            yield Step(f"forwarded at {profile.ip.forwarded}", _shown(self._forwarded(record)))
        grade: Grade = self._grade(record)
        yield Step("level", f"{grade.level or 'none'}: {grade.rule}")
        yield from _steps(self._at_times(record) | self._at_fields(record))


def _steps(found: dict[str, Any]) -> Iterator[Step]:
    return (Step(what, _shown(value)) for what, value in found.items())


def _shown(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:200]


def _ends(rule: ExpiresRule, reading: Reading) -> Ends:
    life = reading.life or span(rule.after)
    lives = {level: span(text) for level, text in rule.by_level.items()} if reading.life is None else {}

    def after(_record: Any, observed: datetime, level: RiskLevel) -> datetime:
        return observed + lives.get(level, life)

    moment = compile_time((), reading.timezone, reading.now)
    if rule.since:
        return _since(compile_path(rule.since), moment, reading.observed(), life)
    if rule.at:
        return _at(compile_path(rule.at), moment, after)
    if rule.duration:
        return _from_now(compile_path(rule.duration), reading.now, after)
    return after


def _since(getter: Getter, moment: Callable[[Any], datetime], otherwise: datetime, life: timedelta) -> Ends:
    def ends(record: Any, _observed: datetime, _level: RiskLevel) -> datetime:
        value = getter(record)
        return (otherwise if value is None or value == "" else moment(value)) + life

    return ends


def _at(getter: Getter, moment: Callable[[Any], datetime], otherwise: Ends) -> Ends:
    def ends(record: Any, observed: datetime, level: RiskLevel) -> datetime:
        value = getter(record)
        return otherwise(record, observed, level) if value is None or value == "" else moment(value)

    return ends


def _from_now(getter: Getter, now: datetime, otherwise: Ends) -> Ends:
    longest = timedelta(days=36_500)

    def ends(record: Any, observed: datetime, level: RiskLevel) -> datetime:
        value = getter(record)
        if value is None or value == "":
            return otherwise(record, observed, level)
        return now + min(span(value), longest)

    return ends
