"""All inputs of one `tocsin send`, read: the signals, and the account of every line that became none."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct, field

from tocsin.errors import TocsinError
from tocsin.signals import Batch, Retraction, Signal, Skipped, SkipReason
from tocsin.sources import Format, Reading, display_name, read_source

BROKEN_SHOWN = 5


class AllExpired(TocsinError):
    """There were signals, and none holds any more. Nothing was sent."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"nothing to send: {count:,} signals were read and all had expired, the list is an old one",
            hint="fetch a new list, or treat this one as observed at another time with --as-of now (or --as-of TIME)",
        )


class Intake(Struct):
    """What was read."""

    signals: list[Signal] = field(default_factory=list)
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    first_broken: list[str] = field(default_factory=list)
    """`FILE:LINE: what is wrong`, for the first few."""

    @property
    def batches(self) -> list[Batch]:
        """Each input as one list, which is whole."""
        by_source: dict[str, list[Signal | Retraction]] = {}
        for signal in self.signals:
            by_source.setdefault(signal.source, []).append(signal)
        return [Batch(source=source, claims=claims, ends_list=True) for source, claims in by_source.items()]

    @property
    def broken(self) -> int:
        """How many lines someone must mend."""
        return sum(count for reason, count in self.skipped.items() if reason.broken)


def take_in(
    files: Sequence[str], *, now: datetime, as_of: datetime | None, form: Format | None, allow_non_global: bool
) -> Intake:
    """
    Read every file to its end before anything is sent: the most dangerous line may be the last.

    Raises: SourceError.
    """
    intake = Intake()
    for path in files:
        name = display_name(path)
        reading = Reading(now=now, source=name, as_of=as_of, allow_non_global=allow_non_global)
        for found in read_source(path, reading, form=form):
            if isinstance(found, Skipped):
                _count(intake, found, name)
            else:
                intake.signals.append(found)
    return intake


def _count(intake: Intake, skipped: Skipped, name: str) -> None:
    intake.skipped[skipped.reason] += 1
    if skipped.reason.broken and len(intake.first_broken) < BROKEN_SHOWN:
        # repr, because a line of a log may carry escape sequences that a terminal would obey.
        intake.first_broken.append(f"{name}:{skipped.line}: {skipped.detail}; it reads {skipped.excerpt!r}")
