"""The inputs of one `tocsin send`, read as they come: batches to take in, and the account of every record, by file."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from msgspec import Struct, field

from tocsin.cli.distinct import Distinct
from tocsin.errors import TocsinError
from tocsin.signals import Batch, Retraction, RiskLevel, Signal, Skipped, SkipReason
from tocsin.signals.skipped import EXCERPT_CHARS
from tocsin.sources import Format, Guard, Input, Piece, Reading, SourceError, display_name, open_source_input

BROKEN_SHOWN = 5
BATCH_CLAIMS = 16_384
"""About so many are in one batch, and in memory; fewer would be synced to disk more often."""


class AllExpired(TocsinError):
    """There were signals, and none holds any more. Nothing was sent."""


class HowToRead(Struct, frozen=True, kw_only=True):
    """What the command line says of all files."""

    now: datetime
    as_of: datetime | None = None
    """Read them as they would have been read then; the same as `now` to take a list for one of today."""
    form: Format | None = None
    mapping: str = ""
    """The file of the user's that describes `form`."""
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
    addresses: int | None = None
    """How many different ones the signals are about; None before all of it was read."""
    retractions: int = 0
    ended: int = 0
    """Of the signals, those that held at the time as of which the file was read, and hold no more."""
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    latest_ended: datetime | None = None
    """When the last of what has expired was observed."""
    refused: str | None = None
    """Why it was not read at all."""
    refused_hint: str | None = None
    """What to do about that."""
    whole: bool = False
    """Whether it is a list that was read to its end: what it does not hold, it no longer says."""
    rather: Format | None = None
    """What its content looks like, where nothing was found in it as what it was said to be."""
    said_by: str = ""
    """How it was said what it is."""

    @property
    def coalesced(self) -> int:
        """How many signals speak about an address that another one of this file is about too."""
        return 0 if self.addresses is None else self.signals - self.addresses

    @property
    def quarantined(self) -> int:
        """How many records someone must mend."""
        return sum(count for reason, count in self.skipped.items() if reason.broken)

    def add(self, part: Piece, *, now: datetime) -> list[str]:
        """Count what some of its records came to. Returns: the address of each signal."""
        self.records += part.records
        signals = [claim for claim in part.claims if isinstance(claim, Signal)]
        self.signals += len(signals)
        self.retractions += len(part.claims) - len(signals)
        self.levels.update(claim.level for claim in signals)
        self.ended += sum(claim.expires <= now for claim in signals)
        self.skipped.update(one.reason for one in part.skipped)
        self.latest_ended = part.latest_ended or self.latest_ended
        return [claim.ip for claim in signals]

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
            account["hint"] = self.refused_hint
        return account


class Intake(Struct):
    """What was read so far."""

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
    def ended(self) -> int:
        """Over all files."""
        return sum(account.ended for account in self.files)

    @property
    def broken(self) -> int:
        """How many records someone must mend."""
        return sum(account.quarantined for account in self.files)

    @property
    def refused(self) -> bool:
        """Whether there is a file that was not read."""
        return any(account.refused for account in self.files)

    def batches(self, paths: Sequence[str], how: HowToRead, *, refuse: bool = True) -> Iterator[Batch]:
        """
        Read every file to its end, and count. What is asked for next is read then: in memory is one batch at a time.

        A list that was read whole ends with its last batch, also an empty one: what it held before is let go.

        Args:
            refuse: whether a file that cannot be read stops everything; else its account says so.
        Raises: SourceError.
        """
        names = [display_name(path) for path in paths]
        for number, (path, name) in enumerate(zip(paths, names, strict=True), start=1):
            account = FileAccount(name)
            self.files.append(account)
            try:
                yield from self._read(path, how, account)
            except SourceError as error:
                if refuse:
                    raise
                account.refused, account.refused_hint = error.summary, error.hint
            if name not in names[number:]:  # a file that is named twice is one list
                yield Batch(source=name, claims=[], ends_list=all(a.whole for a in self.files if a.file == name))

    def _read(self, path: str, how: HowToRead, account: FileAccount) -> Iterator[Batch]:
        with open_source_input(path, how.form) as source, Distinct() as addresses:
            account.form = source.form
            claims, skipped = list[Signal | Retraction](), list[Skipped]()
            for part in source.pieces(how.reading(account.file)):
                addresses.add(account.add(part, now=how.now))
                self._show_broken(part.skipped, account.file)
                claims += part.claims
                skipped += part.skipped
                if len(claims) + len(skipped) >= BATCH_CLAIMS:
                    yield Batch(source=account.file, claims=claims, skipped=skipped)
                    claims, skipped = [], []
            yield Batch(source=account.file, claims=claims, skipped=skipped)
            account.addresses = addresses.count()
            account.whole = source.form.full_list and _came_whole(source, account)
            if how.form is not None and not account.signals + account.retractions:
                account.said_by = f"by your mapping {how.mapping}" if how.mapping else f"as {how.form.name}"
                account.rather = source.by_content if source.by_content is not source.form else None

    def _show_broken(self, skipped: Sequence[Skipped], name: str) -> None:
        for one in skipped:
            if one.reason.broken and len(self.first_broken) < BROKEN_SHOWN:
                # repr, because a line of a log may carry escape sequences that a terminal would obey.
                cut = "..." if len(one.excerpt) == EXCERPT_CHARS else ""
                reads = f"; it reads {one.excerpt!r}{cut}" if one.excerpt else ""
                self.first_broken.append(f"{name}:{one.line}: {one.detail}{reads}")


def all_expired(intake: Intake, how: HowToRead) -> AllExpired | None:
    """What to say when time alone has left nothing of what was read; None when that is not so."""
    expired = intake.skipped[SkipReason.EXPIRED]
    if intake.signals > intake.ended or not intake.ended + expired:
        return None
    if intake.ended:
        text = f"nothing to send: {intake.ended:,} signals held at the time of --as-of, and all have expired since"
        hint = "--dry-run --json says what held then; --as-of now takes a list for one of today"
    else:
        text = f"nothing to send: {expired:,} signals were read and all had expired"
        hint = "each record has a time of its own, or its list a date, and by that it has ended at --as-of"
        if how.as_of is None:
            hint = _how_to_read_what_is_old(intake)
    return AllExpired(text, hint=hint)


def _how_to_read_what_is_old(intake: Intake) -> str:
    latest = max((account.latest_ended for account in intake.files if account.latest_ended), default=None)
    then = (
        f"--dry-run --as-of {latest.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} says what held at the last of them"
        if latest
        else ""
    )
    if any(account.form and account.form.full_list for account in intake.files):
        then = f"fetch a new list, or take it for one of today (--as-of now); {then}"
    return then


def _came_whole(source: Input, account: FileAccount) -> bool:
    if source.opened.cut_off is not None or account.skipped[SkipReason.CUT_OFF]:
        return False
    return not account.quarantined or account.signals > 0  # of broken records alone: an error page, not a list
