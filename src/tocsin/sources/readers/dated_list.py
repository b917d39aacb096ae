"""What all lists have in common: comments, a date in one of them, one level and one life for every entry."""

import re
from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.reading import Block, Claim, Found, Reading, skipped, unreadable

LIFE = timedelta(hours=48)
"""Lists are made anew every day: 48 hours outlast one missed day."""
_DATE = re.compile(
    r"[#;/\s]*(?:last[ -]?updated?|last[ -]?modified|source file date|generated(?: on| at)?|updated)\s*:\s*(.+)",
    re.IGNORECASE,
)
_FIREHOL_DATE = "%a %b %d %H:%M:%S UTC %Y"


class DatedList:
    """A reader of one list; a date in its comments dates every entry that follows."""

    level = RiskLevel.MEDIUM
    life = LIFE

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.level = reading.levels.get("*", self.level)
        self.life = reading.life or self.life
        self.date_from(None)

    @abstractmethod
    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """Add what the lines of `block` say; gives back how many were entries."""

    def read(self, block: Block) -> Found:
        """See `Reader`."""
        claims, skips = list[Claim](), list[Skipped]()
        try:
            records = self.entries(block, claims, skips)
        except Exception:
            return self._one_by_one(block)
        return Found(records, claims, skips)

    def _one_by_one(self, block: Block) -> Found:
        """A block that holds a line which no rule foresaw: only that one is left."""
        records, claims, skips = 0, list[Claim](), list[Skipped]()
        for number, text in zip(block.numbers, block.records, strict=True):
            try:
                records += self.entries(Block(range(number, number + 1), [text], block.end), claims, skips)
            except Exception as error:
                records += 1
                skips.append(unreadable(number, text, error))
        return Found(records, claims, skips)

    def end(self) -> Found:
        """See `Reader`."""
        return Found(0, [], [])

    def comment(self, number: int, text: str, skips: list[Skipped]) -> int:
        """Take the date that a comment may tell; 1 when it is broken, and so is a record someone must mend."""
        header = _DATE.match(text)
        if header is None:
            return 0
        try:
            self.date_from(list_date(header[1]))
        except (ValueError, OverflowError):
            example = "'# Last update: Sat, 22 Aug 2026 03:00:29 +0200'"
            skips.append(skipped(number, text, SkipReason.BAD_TIME, f"the date of the list is not like {example}"))
            return 1
        return 0

    def date_from(self, date: datetime | None) -> None:
        """Every entry from here on was observed then."""
        observed = self.reading.observed(date)
        self.observed, self.expires = observed, observed + self.life


def list_date(text: str) -> datetime:
    """
    A date as lists write it: RFC 5322, RFC 3339, FireHOL's `Tue Jul 30 16:30:18 UTC 2019`, `2026-01-05 10:00:00 UTC`.

    Raises: ValueError, also when it names no offset.
    """
    text = text.strip(" #;\t")  # some draw a box around it
    text = f"{text.removesuffix(' UTC')}+00:00" if text[:4].isdecimal() and text.endswith(" UTC") else text
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(text)
        except ValueError:
            continue
        if moment.tzinfo is not None:
            return moment
    return datetime.strptime(text, _FIREHOL_DATE).replace(tzinfo=UTC)
