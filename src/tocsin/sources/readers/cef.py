r"""ArcSight's Common Event Format, spoken by firewalls and gateways: `CEF:0|vendor|product|1.0|class|name|5|key=value`.

Source: Implementing ArcSight CEF, revision 25: `\|` and `\\` in the header, `\=`, `\\`, `\n` and `\r` in the extension.
"""

import re
from datetime import timedelta

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Claim, Reading, RecordReader, skipped
from tocsin.sources.sample import Sample

_START = r"(?<!\S)CEF: ?\d+\|"  # where CEF is the tag of a syslog message there is a blank
_FIELD = r"([^|\\]*+(?:\\.[^|\\]*+)*+)"
_EVENT = re.compile(_START + r"\|".join([_FIELD] * 6) + r"\|(.*)", re.DOTALL)
# A value runs up to the next ` key=` and may hold blanks. What follows an escaped `=` is no key: none ends with a `\`.
_KEY = r"[A-Za-z0-9_.\-]+"
_PAIR = re.compile(rf"\s({_KEY})=(\S*+(?:\s++(?!{_KEY}=)\S*+)*+)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r"}
_WORDS = {"low": RiskLevel.LOW, "medium": RiskLevel.MEDIUM, "high": RiskLevel.HIGH, "very-high": RiskLevel.HIGH}
_BANDS = ((7, RiskLevel.HIGH), (4, RiskLevel.MEDIUM), (1, RiskLevel.LOW))
_ADDRESSES = ("src", "c6a2", "sourceTranslatedAddress", "dst", "c6a3")
_MOST_KNOWN = 4096
_LIFE = timedelta(hours=24)
_LIVES = {RiskLevel.HIGH: timedelta(hours=72)}


class CefReader(RecordReader):
    """Reads one log. What a device did about an event is not asked: an attack that it let through is one."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._time = LogTimes(("epoch", "syslog", "iso8601"), reading)
        self._lives = {level: reading.life or _LIVES.get(level, _LIFE) for level in RiskLevel}
        self._levels = {str(number): level for number in range(11) if (level := self._level(str(number)))}
        self._said = dict[tuple[str, ...], str]()

    def record(self, number: int, text: str) -> Claim | Skipped | None:
        """See `RecordReader`."""
        event = _EVENT.search(text)
        if event is None:
            if not text.strip():
                return None
            return skipped(number, text, SkipReason.NOT_A_RECORD, "is no event in CEF")
        vendor, product, _, _, name, severity, extension = event.groups()
        value_of = cef_values(extension).get  # escaped still, which no address and no time is
        level = self._levels.get(severity) or self._level(severity)
        if level is None:
            return skipped(number, text, SkipReason.BELOW_BANDS, f"severity {severity[:20]!r} is below every band")
        addresses = [value.strip() for value in map(value_of, _ADDRESSES) if value]
        if not addresses:
            detail = f"nothing at {', '.join(_ADDRESSES)}"
            return skipped(number, text, SkipReason.NO_ADDRESS, detail)
        try:
            time = value_of("rt") or value_of("start") or value_of("end")
            observed = self._time(time.strip()) if time else self._reading.observed()
        except ValueError as error:
            return skipped(number, text, SkipReason.BAD_TIME, str(error))
        expires = observed + self._lives[level]
        header = (vendor, product, name)
        message = self._said.get(header) or self._message(header)
        return Claim(number, addresses[0], level, observed, expires, message, tuple(addresses[1:]))

    def _message(self, header: tuple[str, ...]) -> str:
        if len(self._said) >= _MOST_KNOWN:
            self._said.clear()
        said = self._said[header] = legal_message(_unescaped(" ".join(header)))
        return said

    def _level(self, severity: str) -> RiskLevel | None:
        levels, word = self._reading.levels, severity.strip().lower()
        if said := levels.get("*") or levels.get(severity) or _WORDS.get(word):
            return said
        return next((level for least, level in _BANDS if word.isdecimal() and int(word[:3]) >= least), None)


def cef_values(extension: str) -> dict[str, str]:
    """By key, escaped still."""
    return dict(_PAIR.findall(" " + extension))


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), text) if "\\" in text else text


def _recognises(sample: Sample) -> bool:
    return any(_EVENT.search(text) for text in sample.lines[:20])


FORMATS = (
    Format(
        name="cef",
        title="ArcSight's Common Event Format, bare or in syslog (severity 7 and High: HIGH, 4: MEDIUM, 1: LOW; 24 h)",
        group="Common schemas",
        usual="/var/log/cef.log",
        example=(
            "Jan  5 10:00:00 gw CEF:0|Example|Firewall|1.0|100|port scan|5|src=203.0.113.50 dst=10.0.0.1 "
            "rt=1767607200000 msg=a \\= b"
        ),
        recognises=_recognises,
        reader=CefReader,
        grows=True,
    ),
)
