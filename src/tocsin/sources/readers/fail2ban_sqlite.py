"""fail2ban's database: the history of its bans. Read without writing, also while fail2ban runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.opening import Opened, on_disk
from tocsin.sources.readers.fail2ban_levels import HOST_DETAIL, LIFE, ban_level, is_host
from tocsin.sources.reading import Block, Claim, Reading, RecordReader, skipped
from tocsin.sources.sample import SQLITE_MAGIC, Sample
from tocsin.sources.vetting import MAX_LIFE

_ROWS_A_BLOCK = 5_000
_TABLE = b"fail2banDb"
# Of version 2 there is neither the length of a ban nor how many there were.
_BANS = "SELECT rowid, jail, ip, timeofban, {bantime}, {bancount} FROM bans ORDER BY rowid"
_BUSY_S = 5.0


class Fail2banSqliteReader(RecordReader):
    """Reads the rows of one database."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def record(self, number: int, row: dict[str, Any]) -> Claim | Skipped | None:
        """See `RecordReader`."""
        jail, address, reading = str(row["jail"]), row["ip"], self._reading
        if not isinstance(address, str):
            return skipped(number, row, SkipReason.NO_ADDRESS, "the ban names no address")
        if is_host(address):
            return skipped(number, row, SkipReason.NO_ADDRESS, HOST_DETAIL)
        try:
            observed = datetime.fromtimestamp(row["timeofban"], UTC)
        except (TypeError, ValueError, OverflowError, OSError):
            return skipped(number, row, SkipReason.BAD_TIME, f"timeofban {row['timeofban']!r} is no time")
        count = row["bancount"] if isinstance(row["bancount"], int) else 1
        message = legal_message(f"fail2ban {jail}" + (f" ban number {count}" if count > 1 else ""))
        expires = observed + (reading.life or _length(row["bantime"]))
        return Claim(number, address, ban_level(jail, count, reading), observed, expires, message)


def _length(bantime: Any) -> timedelta:
    """-1 is a ban for ever, of which no more is claimed than of anything."""
    if not isinstance(bantime, int):
        return LIFE
    return MAX_LIFE if bantime < 0 else min(timedelta(seconds=min(bantime, 10**9)), MAX_LIFE)


def _rows(opened: Opened) -> Iterator[Block]:
    with on_disk(opened, SQLITE_MAGIC) as path:
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)) as db:
                yield from _blocks(db)
        except sqlite3.Error as error:
            opened.cut_off = f"SQLite says: {error}"


def _blocks(db: sqlite3.Connection) -> Iterator[Block]:
    db.row_factory = sqlite3.Row
    columns = {row["name"] for row in db.execute("PRAGMA table_info(bans)")}
    names = {name: name if name in columns else f"NULL AS {name}" for name in ("bantime", "bancount")}
    bans = db.execute(_BANS.format(**names))
    while rows := bans.fetchmany(_ROWS_A_BLOCK):
        yield Block([row["rowid"] for row in rows], [dict(row) for row in rows], rows[-1]["rowid"])


def _recognises(sample: Sample) -> bool:
    # What fail2ban has just written may not stand in the file itself yet, so its usual name does as well.
    return sample.head.startswith(SQLITE_MAGIC) and (_TABLE in sample.head or "fail2ban" in Path(sample.name).name)


FORMATS = (
    Format(
        name="fail2ban-sqlite",
        title="fail2ban's database: its bans until they end (recidive and the third ban HIGH, else MEDIUM)",
        group="Host logs",
        usual="/var/lib/fail2ban/fail2ban.sqlite3",
        example="jail=sshd ip=203.0.113.7 timeofban=1767607200 bantime=86400 bancount=1",
        recognises=_recognises,
        reader=Fail2banSqliteReader,
        records=_rows,
        magic=SQLITE_MAGIC,
    ),
)
