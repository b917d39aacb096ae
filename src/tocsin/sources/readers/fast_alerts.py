"""One-line alerts of Suricata (fast.log) and Snort (alert_fast), which differ in nothing that counts."""

import re
from datetime import timedelta

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Claim, Reading, RecordReader, skipped
from tocsin.sources.sample import Sample

_ALERT = re.compile(
    r"(?P<time>\d\d/\d\d(?:/\d{2,4})?-\d\d:\d\d:\d\d)\.\d+ +(?:\[\w+\] )?"
    r"\[\*\*\] \[\d+:(?P<sid>\d+):\d+\] (?P<said>.*?) "
    r"\[\*\*\] (?:\[Classification: [^\]]*\] )?\[Priority: (?P<priority>\d+)\] (?:\[AppID: [^\]]*\] )?"
    r"\{(?P<proto>[^}]*)\} "
    r"(?P<source>[0-9a-fA-F.:]+) -> (?P<target>[0-9a-fA-F.:]+)\s*"
)
_LEVELS = {"1": RiskLevel.HIGH, "2": RiskLevel.MEDIUM, "3": RiskLevel.LOW}
_LIVES = {RiskLevel.HIGH: timedelta(hours=72)}
_LIFE = timedelta(hours=24)
_WITH_PORTS = ("TCP", "UDP", "SCTP")
_MOST_KNOWN = 4096


class FastAlertReader(RecordReader):
    """Reads one log; priority 1 is the worst."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._time = LogTimes(("snort",), reading)
        self._said = dict[tuple[str, str], str]()

    def record(self, number: int, text: str) -> Claim | Skipped | None:
        """See `RecordReader`."""
        found = _ALERT.fullmatch(text)
        if found is None:
            if not text.strip():
                return None
            return skipped(number, text, SkipReason.NOT_A_RECORD, "is no alert such as fast.log has")
        time, sid, said, priority, proto, source, target = found.groups()
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


def _recognises(sample: Sample) -> bool:
    return any(_ALERT.fullmatch(text) for text in sample.lines[:20])


FORMATS = (
    Format(
        name="fast-alerts",
        title="Suricata's fast.log and Snort's alert_fast (priority 1: HIGH, 2: MEDIUM, 3: LOW; 24 h, HIGH 72 h)",
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
)
