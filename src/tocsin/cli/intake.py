"""All inputs of one `tocsin send`, read: the signals, and the account of every record that became none, by file."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from msgspec import Struct, field

from tocsin.errors import TocsinError
from tocsin.signals import Batch, Retraction, RiskLevel, Signal, Skipped, SkipReason
from tocsin.sources import Format, Guard, Input, Piece, Reading, SourceError, display_name, open_source_input

BROKEN_SHOWN = 5


class AllExpired(TocsinError):
    """There were signals, and none holds any more. Nothing was sent."""

    def __init__(self, count: int, *, dated: bool) -> None:
        """`dated`: they were read as of a time that the user named, and their own times were too old for it."""
        undated = "fetch a new list, take it for one of today (--as-of now), or read it as of its day (--as-of TIME)"
        own_times = "each record has a time of its own, or its list a date, and by that it has ended"
        super().__init__(
            f"nothing to send: {count:,} signals were read and all had expired, the list is an old one",
            hint=own_times if dated else undated,
        )


class HowToRead(Struct, frozen=True, kw_only=True):
    """What the command line says of all files."""

    now: datetime
    as_of: datetime | None = None
    """Read them as they would have been read then; the same as `now` to take a list for one of today."""
    form: Format | None = None
    allow_non_global: bool = False
    guard: Guard = Guard()
    timezone: tzinfo = UTC

    def reading(self, source: str) -> Reading:
        """How the file that gives `source` its name is read."""
        return Reading(
            now=self.as_of or self.now,
            source=source,
            as_of=self.as_of if self.as_of == self.now else None,
            past=self.as_of is not None,
            allow_non_global=self.allow_non_global,
            guard=self.guard,
            timezone=self.timezone,
        )


class FileAccount(Struct):
    """What one file came to. Every record is a signal, or several, or in `skipped`."""

    file: str
    form: Format | None = None
    """What it was taken for."""
    records: int = 0
    signals: int = 0
    levels: Counter[RiskLevel] = field(default_factory=Counter)
    addresses: set[str] = field(default_factory=set)
    retractions: int = 0
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    refused: str | None = None
    """Why it was not read at all."""
    whole: bool = False
    """Whether it is a list that was read to its end: what it does not hold, it no longer says."""

    @property
    def coalesced(self) -> int:
        """How many signals speak about an address that another one of this file is about too."""
        return self.signals - len(self.addresses)

    @property
    def quarantined(self) -> int:
        """How many records someone must mend."""
        return sum(count for reason, count in self.skipped.items() if reason.broken)

    def add(self, part: Piece) -> None:
        """Count what some of its records came to."""
        self.records += part.records
        for claim in part.claims:
            if isinstance(claim, Signal):
                self.signals += 1
                self.levels[claim.level] += 1
                self.addresses.add(claim.ip)
            else:
                self.retractions += 1
        self.skipped.update(one.reason for one in part.skipped)

    def as_json(self) -> dict[str, Any]:
        """For a machine, the names as in the documentation of `send --dry-run --json`."""
        account: dict[str, Any] = {
            "file": self.file,
            "format": self.form.name if self.form else None,
            "records": self.records,
            "signals": self.signals,
            "by_level": {str(level): self.levels[level] for level in RiskLevel},
            "coalesced": self.coalesced,
            "skipped": {str(reason): count for reason, count in sorted(self.skipped.items())},
            "quarantined": self.quarantined,
        }
        if self.retractions:
            account["retractions"] = self.retractions
        if self.refused:
            account["error"] = self.refused
        return account


class Said(Struct):
    """All that the files of one name came to."""

    claims: list[Signal | Retraction] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class Intake(Struct):
    """What was read."""

    said: dict[str, Said] = field(default_factory=dict)
    """By the name of the file; empty when it was only counted."""
    files: list[FileAccount] = field(default_factory=list)
    first_broken: list[str] = field(default_factory=list)
    """`FILE:RECORD: what is wrong`, for the first few."""

    @property
    def skipped(self) -> Counter[SkipReason]:
        """Over all files."""
        return sum((account.skipped for account in self.files), Counter[SkipReason]())

    @property
    def signals(self) -> int:
        """Over all files."""
        return sum(account.signals for account in self.files)

    @property
    def batches(self) -> list[Batch]:
        """One for each input, also for an empty one: what a list held before is let go."""
        return [
            Batch(source=name, claims=said.claims, skipped=said.skipped, ends_list=self._whole(name))
            for name, said in self.said.items()
        ]

    def _whole(self, name: str) -> bool:
        return all(account.whole for account in self.files if account.file == name)

    @property
    def broken(self) -> int:
        """How many records someone must mend."""
        return sum(account.quarantined for account in self.files)

    @property
    def refused(self) -> bool:
        """Whether there is a file that was not read."""
        return any(account.refused for account in self.files)


def take_in(files: Sequence[str], how: HowToRead, *, refuse: bool = True, keep: bool = True) -> Intake:
    """
    Read every file to its end before anything is sent: the most dangerous record may be the last.

    Args:
        refuse: whether a file that cannot be read stops everything; else its account says so.
        keep: False to count only.
    Raises: SourceError.
    """
    intake = Intake()
    for path in files:
        account = FileAccount(display_name(path))
        intake.files.append(account)
        try:
            _read(path, how, account, intake, keep=keep)
        except SourceError as error:
            if refuse:
                raise
            account.refused = error.summary
    return intake


def _read(path: str, how: HowToRead, account: FileAccount, intake: Intake, *, keep: bool) -> None:
    with open_source_input(path, how.form) as source:
        account.form = source.form
        said = intake.said.setdefault(account.file, Said()) if keep else Said()
        for part in source.pieces(how.reading(account.file)):
            account.add(part)
            if keep:
                said.claims += part.claims
                said.skipped += part.skipped
            for one in part.skipped:
                _show_broken(intake, one, account.file)
        account.whole = source.form.full_list and _came_whole(source, account)


def _came_whole(source: Input, account: FileAccount) -> bool:
    if source.opened.cut_off is not None or account.skipped[SkipReason.CUT_OFF]:
        return False
    return not account.quarantined or account.signals > 0  # of broken records alone: an error page, not a list


def _show_broken(intake: Intake, skipped: Skipped, name: str) -> None:
    if skipped.reason.broken and len(intake.first_broken) < BROKEN_SHOWN:
        # repr, because a line of a log may carry escape sequences that a terminal would obey.
        intake.first_broken.append(f"{name}:{skipped.line}: {skipped.detail}; it reads {skipped.excerpt!r}")
