"""fail2ban's log: each ban is a verdict of its own. An unban is no all-clear: it unbans all whenever it stops."""

import re
from datetime import timedelta

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.fail2ban_levels import HOST_DETAIL, LIFE, ban_level, is_host
from tocsin.sources.readers.log_times import LogTimes
from tocsin.sources.reading import Claim, Reading, RecordReader, skipped
from tocsin.sources.sample import Sample

# fail2ban's own file, or syslog with or without the name of the daemon, or the journal without a time.
_LINE = re.compile(
    r"(?:(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?) )?(?:[^\s\[]+ )??"
    r"(?:fail2ban(?:-server)?\[\d+\]: (?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ )?(?:[A-Z]+\s+)?)?"
    r"(?:fail2ban\.(?P<part>\w+)\s*(?:\[\d+\])?:\s+[A-Z]+\s+)?(?P<said>\[.*)"
)
_BAN = re.compile(
    r"\[(?P<jail>[^\]]+)\] (?P<verb>|Restore |Increase )Ban (?P<ip>[^\s]+)"
    r"(?: \((?P<count>\d+) # (?P<span>\S+) -> (?P<end>[\d: -]+)\))?\s*"
)
_OURS = re.compile(r"fail2ban(?:\.\w+|-server|\[)")


class Fail2banLogReader(RecordReader):
    """Reads one log."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._time = LogTimes(("iso8601", "syslog"), reading)

    def record(self, number: int, text: str) -> Claim | Skipped | None:
        """See `RecordReader`."""
        if "Ban " not in text:
            if not text.strip():
                return None
            if _OURS.search(text):
                return skipped(number, text, SkipReason.NO_CLAIM, "tells of no ban")
            return skipped(number, text, SkipReason.NOT_A_RECORD, "is no line of fail2ban")
        line = _LINE.fullmatch(text)
        ban = _BAN.fullmatch(line["said"]) if line and line["part"] in ("actions", "observer", None) else None
        if line is None or ban is None:
            return skipped(number, text, SkipReason.NO_CLAIM, "tells of no ban")
        if is_host(ban["ip"]):
            return skipped(number, text, SkipReason.NO_ADDRESS, HOST_DETAIL)
        try:
            return self._claim(number, line, ban)
        except ValueError as error:
            return skipped(number, text, SkipReason.BAD_TIME, str(error))

    def _claim(self, number: int, line: re.Match[str], ban: re.Match[str]) -> Claim:
        reading, jail = self._reading, ban["jail"]
        observed = self._time(line["time"]) if line["time"] else reading.observed()
        if ban["end"] and reading.life is None:
            expires = max(self._time(ban["end"]), observed + timedelta(seconds=1))
        else:
            expires = observed + (reading.life or LIFE)
        level = ban_level(jail, int(ban["count"] or 1), reading)
        message = legal_message(f"fail2ban {jail}" + (f" ban number {ban['count']}" if ban["count"] else ""))
        return Claim(number, ban["ip"], level, observed, expires, message)


def _recognises(sample: Sample) -> bool:
    """By most of its lines: in a syslog of everything, others may have more to say than fail2ban."""
    said = [text for text in sample.lines if text.strip() and not text.startswith("#")]
    return bool(said) and sum(_OURS.search(text) is not None for text in said) * 2 > len(said)


FORMATS = (
    Format(
        name="fail2ban-log",
        title="fail2ban's log: Ban, Restore Ban, Increase Ban (recidive and the third ban HIGH, else MEDIUM; 24 h)",
        group="Host logs",
        usual="/var/log/fail2ban.log",
        example="2026-01-05 10:00:00,584 fail2ban.actions        [9275]: NOTICE  [sshd] Ban 203.0.113.7",
        recognises=_recognises,
        reader=Fail2banLogReader,
        grows=True,
    ),
)
