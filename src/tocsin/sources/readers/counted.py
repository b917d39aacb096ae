"""From counts to claims: what readers share for whom a single line says nothing."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from tocsin.signals import RiskLevel, Skipped, SkipReason, ip_key
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.window_counts import Step, WindowCounts
from tocsin.sources.reading import Claim, Reading, RecordReader, skipped

_LIFE = timedelta(hours=24)
_LIVES = {RiskLevel.HIGH: timedelta(hours=72)}


class Rule(NamedTuple):
    """What is counted, over which window, and from how many on it means what."""

    what: str
    """Plural, for messages."""
    window: timedelta
    steps: tuple[tuple[int, RiskLevel], ...]
    """The lowest first."""
    most_kinds: int = 0
    """So many different kinds within the window mean the last level; 0 for never."""
    kinds: str = ""
    """What they are called."""


class Event(NamedTuple):
    """A line that counts."""

    address: str
    observed: datetime
    weight: int = 1
    kind: str | None = None


class CountedReader(RecordReader):
    """A reader whose lines count towards a claim; each one that makes none yet is skipped as that."""

    rule: Rule

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        name, rule = type(self).__name__, self.rule
        steps = [Step(least, self._level(level), self._life(level).total_seconds()) for least, level in rule.steps]
        fresh = WindowCounts(rule.window.total_seconds(), steps, most_kinds=rule.most_kinds)
        self._counts: WindowCounts = reading.memory.setdefault(name, fresh)
        self._window = _said(rule.window)
        self._scale = f": {', '.join(f'{least} {level}' for least, level in rule.steps)} within {self._window}"

    def event(self, number: int, text: Any) -> Event | Skipped | None:
        """
        What one line, or other record, tells: something that counts, why it does not, or None for a blank line.

        Raises: ValueError, for a time that is none.
        """
        raise NotImplementedError

    def record(self, number: int, text: Any) -> Claim | Skipped | None:
        """See `RecordReader`."""
        try:
            event = self.event(number, text)
        except ValueError as error:
            return skipped(number, text, SkipReason.BAD_TIME, str(error))
        if event is None:
            return None
        if event.__class__ is Skipped:
            return event
        assert isinstance(event, Event)
        at = event.observed.timestamp()
        key = event.address.removeprefix("::ffff:")
        network = self._network(key) if ":" in key else None
        reached = self._counts.add(key, at, event.weight, event.kind, network=network)
        if reached is None:
            detail = f"counts for {event.weight}, and reaches no new level{self._scale}"
            return skipped(number, text, SkipReason.BELOW_BANDS, detail)
        level = reached.step.level
        expires = event.observed + timedelta(seconds=reached.step.holds_s)
        said = f"{reached.events} {self.rule.what} within {self._window}"
        if self.rule.most_kinds and reached.kinds >= self.rule.most_kinds:
            said = f"{reached.kinds} {self.rule.kinds} within {self._window}"
        message = legal_message(f"{said} by its IPv6 network" if reached.of_network else said)
        return Claim(number, event.address, level, event.observed, expires, message)

    def _network(self, address: str) -> str | None:
        """What stands for the IPv6 network that is one attacker's; None for what is no address, which vetting says."""
        bits = self._reading.ipv6_prefix
        try:
            return None if bits == 128 else f"{int.from_bytes(ip_key(address)) >> 128 - bits:x}/{bits}"
        except ValueError:
            return None

    def _level(self, level: RiskLevel) -> RiskLevel:
        levels = self._reading.levels
        return levels.get("*") or levels.get(level) or level

    def _life(self, level: RiskLevel) -> timedelta:
        return self._reading.life or _LIVES.get(self._level(level), _LIFE)


def _said(window: timedelta) -> str:
    minutes = int(window.total_seconds() // 60)
    return f"{minutes} minutes" if minutes < 60 else "an hour" if minutes == 60 else f"{minutes // 60} hours"
