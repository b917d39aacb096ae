"""Alerts of Suricata and Snort as text: one line each (fast.log, alert_fast, syslog), or a paragraph (alert_full)."""

import re
from datetime import timedelta

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.framing.carriers import carried_by
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Claim, Found, Reading, RecordReader, skipped
from tocsin.sources.sample import Sample

_TIME = r"(?P<time>\d\d/\d\d(?:/\d{2,4})?-\d\d:\d\d:\d\d)\.\d+ +"
_SIDES = r"(?P<source>[0-9a-fA-F.:]+) -> (?P<target>[0-9a-fA-F.:]+)\s*"
_RULE = r"\[\d+:(?P<sid>\d+):\d+\] (?P<said>.*?) "
# No bracket within brackets, so that a line of beginnings without an end costs linear time.
_CLASS = r"(?:\[Classification: [^\]\[]*\] ?)?\[Priority: (?P<priority>\d+)\]"
_REST = rf"{_CLASS}:? (?:\[AppID: [^\]\[]*\] )?(?:<\w+> )?\{{(?P<proto>[^}}{{]*)\}} {_SIDES}"
_ALERT = re.compile(rf"{_TIME}(?:\[\w+\] )?\[\*\*\] {_RULE}\[\*\*\] {_REST}")
_IN_SYSLOG = re.compile(rf"{carried_by('(?:snort|suricata)')}(?:\[\w+\] )?{_RULE}{_REST}")
_FULL_RULE = re.compile(r"\[\*\*\] \[\d+:(?P<sid>\d+):\d+\] (?P<said>.*) \[\*\*\]\s*")
_FULL_CLASS = re.compile(rf"{_CLASS}\s*")
_FULL_SIDES = re.compile(rf"(?:{_TIME})?{_SIDES}")
_FULL_TIME = re.compile(rf"{_TIME}[0-9A-F:]+ -> [0-9A-F:]+ type:.*")
_LEVELS = {"1": RiskLevel.HIGH, "2": RiskLevel.MEDIUM, "3": RiskLevel.LOW}
_LIVES = {RiskLevel.HIGH: timedelta(hours=72)}
_LIFE = timedelta(hours=24)
_WITH_PORTS = ("TCP", "UDP", "SCTP")
_MOST_KNOWN = 4096


class FastAlertReader(RecordReader):
    """Reads one log; priority 1 is the worst."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._time = LogTimes(("snort", "syslog", "iso8601"), reading)
        self._said = dict[tuple[str, str], str]()

    def record(self, number: int, text: str) -> Claim | Skipped | None:
        """See `RecordReader`."""
        found = _ALERT.fullmatch(text) or _IN_SYSLOG.fullmatch(text)
        if found is None:
            if not text.strip():
                return None
            return skipped(number, text, SkipReason.NOT_A_RECORD, "is no alert such as fast.log has")
        return self._alert(number, text, *found.groups())

    def _alert(
        self,
        number: int,
        text: str,
        time: str,
        sid: str,
        said: str,
        priority: str,
        proto: str,
        source: str,
        target: str,
    ) -> Claim | Skipped:
        level = self._reading.levels.get("*") or self._reading.levels.get(priority) or _LEVELS.get(priority)
        if level is None:
            return skipped(number, text, SkipReason.BELOW_BANDS, f"priority {priority} is below every band")
        if source.count(":") < 2:
            source, target = source.partition(":")[0], target.partition(":")[0]
        else:
            if proto not in _WITH_PORTS:
                detail = f"whether the IPv6 address of {proto[:20]} ends in a port cannot be told"
                return skipped(number, text, SkipReason.NO_ADDRESS, detail)
            source, target = source.rpartition(":")[0], target.rpartition(":")[0]
        try:
            observed = self._time(time)
        except ValueError as error:
            return skipped(number, text, SkipReason.BAD_TIME, str(error))
        expires = observed + (self._reading.life or _LIVES.get(level, _LIFE))
        return Claim(number, source, level, observed, expires, self._message(said, sid), (target,))

    def _message(self, said: str, sid: str) -> str:
        known = self._said.get((said, sid))
        if known is None:
            if len(self._said) >= _MOST_KNOWN:
                self._said.clear()
            known = self._said[said, sid] = legal_message(f"IDS {said} sid {sid}")
        return known


class FullAlertReader(FastAlertReader):
    """Reads paragraphs: the rule, its class, when and who, and what the packet was."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._begun: dict[str, str] = reading.memory.setdefault("alert_full", {})
        """What the lines of the paragraph have told so far; a portion of a growing file may end within one."""
        self._begun_at = 0

    def record(self, number: int, text: str) -> Claim | Skipped | None:
        """See `RecordReader`."""
        begun = self._begun
        if rule := _FULL_RULE.fullmatch(text):
            broken = self._left(number, text)
            begun.update(rule.groupdict())
            self._begun_at = number
            return broken
        for line in (_FULL_CLASS, _FULL_TIME, _FULL_SIDES):
            if found := line.fullmatch(text):
                begun.update({name: value for name, value in found.groupdict().items() if value})
                return None
        if not text.strip():
            return self._left(number, text)
        if len(begun) < len(_FIELDS) - 1:
            return None  # what follows the line with the protocol
        alert = {**begun, "proto": text.partition(" ")[0]}
        begun.clear()
        return self._alert(number, text, *(alert[name] for name in _FIELDS))

    def end(self) -> Found:
        """See `Reader`."""
        left = None if self._reading.goes_on else self._left(self._begun_at, "")
        return Found(1, [], [left]) if left else super().end()

    def _left(self, number: int, text: str) -> Skipped | None:
        """What is wrong where a paragraph ends, or another begins, before it has told all."""
        told = bool(self._begun)
        self._begun.clear()
        detail = "the alert that ends here does not tell its priority, when it was, who it is about and the protocol"
        return skipped(number, text, SkipReason.NOT_A_RECORD, detail) if told else None


_FIELDS = ("time", "sid", "said", "priority", "proto", "source", "target")


def _recognises(sample: Sample) -> bool:
    return any(_ALERT.fullmatch(text) or _IN_SYSLOG.fullmatch(text) for text in sample.lines[:20])


def _is_full(sample: Sample) -> bool:
    return any(_FULL_RULE.fullmatch(text) for text in sample.lines[:20])


FORMATS = (
    Format(
        name="fast-alerts",
        title=(
            "Suricata's fast.log and Snort's alert_fast, bare or in syslog "
            "(priority 1: HIGH, 2: MEDIUM, 3: LOW; 24 h, HIGH 72 h)"
        ),
        group="Intrusion detection",
        usual="/var/log/suricata/fast.log",
        example=(
            "01/05/2026-10:00:00.251216  [**] [1:2008578:4] ET SCAN Sipvicious Scan [**] "
            "[Classification: Attempted Information Leak] [Priority: 2] {UDP} 203.0.113.9:5060 -> 10.0.0.5:5060"
        ),
        recognises=_recognises,
        reader=FastAlertReader,
        grows=True,
    ),
    Format(
        name="snort-full",
        title="Snort's alert_full, a paragraph for each alert (priority 1: HIGH, 2: MEDIUM, 3: LOW; 24 h, HIGH 72 h)",
        group="Intrusion detection",
        usual="/var/log/snort/alert",
        example=(
            "[**] [1:19559:8] INDICATOR-SCAN SSH brute force login attempt [**]\n"
            "[Classification: Misc activity] [Priority: 2]\n"
            "01/05-10:00:00.123456 203.0.113.9:4711 -> 10.0.0.5:22\n"
            "TCP TTL:64 TOS:0x0 ID:1 IpLen:20 DgmLen:60"
        ),
        recognises=_is_full,
        reader=FullAlertReader,
        grows=True,
    ),
)
