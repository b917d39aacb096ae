"""The ipsum list (github.com/stamparm/ipsum): an address, a tab, and on how many public blocklists it stands.

Bands and life are our choice; ipsum's own advice is to block from 3. The list is made anew every day, so 48 hours
outlast one missed day.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from tocsin.signals import RiskLevel, Signal, Skipped, SkipReason, canonical_ip
from tocsin.sources.bands import Band, level_of
from tocsin.sources.reading import Line, Reading, skipped

BANDS = (Band(5, RiskLevel.HIGH), Band(3, RiskLevel.MEDIUM), Band(2, RiskLevel.LOW))
LIFE = timedelta(hours=48)
EXAMPLE = "# Last update: Sat, 22 Aug 2026 03:00:29 +0200\n203.0.113.5\t4"

_LAST_UPDATE = re.compile(r"#\s*Last update:\s*(.+)")
_RECORD = re.compile(r"(\S+)\t([0-9]{1,6})")


class IpsumReader:
    """Reads one list; its `# Last update:` header dates every record that follows."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._date_from(None)

    def read(self, line: Line) -> Signal | Skipped | None:
        text = line.text.strip()
        if not text:
            return None
        return self._comment(line) if text.startswith("#") else self._record(line, text)

    def _comment(self, line: Line) -> Skipped | None:
        if header := _LAST_UPDATE.match(line.text):
            try:
                self._date_from(_aware(header[1]))
            except ValueError:
                example = EXAMPLE.partition("\n")[0]
                return skipped(line, SkipReason.BAD_TIME, f"the date of the list is not like {example!r}")
        return None

    def _date_from(self, list_date: datetime | None) -> None:
        self._observed = self._reading.observed(list_date)
        self._expires = self._observed + LIFE

    def _record(self, line: Line, text: str) -> Signal | Skipped:
        record = _RECORD.fullmatch(text)
        if record is None:
            return skipped(line, SkipReason.NOT_A_RECORD, "is not an address, a tab and a number of lists")
        try:
            ip = canonical_ip(record[1])
        except ValueError as error:
            return skipped(line, SkipReason.BAD_ADDRESS, str(error))
        lists = int(record[2])
        level = level_of(lists, BANDS)
        if level is None:
            return skipped(line, SkipReason.BELOW_BANDS, f"stands on fewer than {BANDS[-1].least} lists")
        message = f"ipsum listed by {lists} blocklists"
        return Signal(ip, level, self._observed, self._expires, message, self._reading.source)


def recognises(sample: Sequence[str]) -> bool:
    """Whether the first lines of an input look like this format."""
    records = [text for text in sample if text and not text.startswith("#")]
    return bool(records) and any(_RECORD.fullmatch(text) for text in records[:10])


def _aware(text: str) -> datetime:
    moment = parsedate_to_datetime(text.strip())
    if moment.tzinfo is None:
        raise ValueError("names no offset")
    return moment
