"""Exits of Tor, in the two forms that tell more than addresses. Anonymity is no attack by itself: LOW."""

import re
from datetime import UTC, datetime, timedelta

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.readers.dated_list import DatedList
from tocsin.sources.reading import Block, Claim, skipped
from tocsin.sources.sample import Sample

_HEADER = re.compile(r"fingerprint\s*,\s*ipaddr\s*,\s*port", re.IGNORECASE)
_OTHER_RELAYS = re.compile(r"guard|middle|relay|(?:^|[._-])all(?:[._-]|$)", re.IGNORECASE)
_EXIT = re.compile(r"ExitAddress\s+(\S+)\s+(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_OF_A_BLOCK = ("ExitNode ", "Published ", "LastStatus ")
_SAID = "Tor exit"


class _TorReader(DatedList):
    level = RiskLevel.LOW
    life = timedelta(hours=24)


class TorCsvReader(_TorReader):
    """`fingerprint, ipaddr, port`: a relay has a row for each of its addresses."""

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records, level, observed, expires = 0, self.level, self.observed, self.expires
        for number, text in zip(block.numbers, block.records, strict=True):
            cells = text.split(",")
            if len(cells) == 3:
                if number < 10 and _HEADER.match(text):
                    continue
                claims.append(Claim(number, cells[1].strip(), level, observed, expires, _SAID))
                records += 1
            elif text.strip():
                detail = "is not a fingerprint, an address and a port"
                skips.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
                records += 1
        return records


class TorAddressesReader(_TorReader):
    """`exit-addresses`: blocks of lines for each relay; an `ExitAddress` has the time it was seen in use."""

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records = 0
        for number, text in zip(block.numbers, block.records, strict=True):
            found = _EXIT.fullmatch(text.strip())
            if found:
                records += 1
                try:
                    observed = self.reading.as_of or datetime.fromisoformat(found[2]).replace(tzinfo=UTC)
                except ValueError:
                    skips.append(skipped(number, text, SkipReason.BAD_TIME, f"{found[2]} is no time"))
                    continue
                # On the list of today, whenever its address was last tried.
                claims.append(Claim(number, found[1], self.level, observed, self.reading.now + self.life, _SAID))
            elif text.strip() and not text.startswith(_OF_A_BLOCK):
                records += 1
                detail = "is not an ExitAddress with its time"
                skips.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
        return records


def _is_csv(sample: Sample) -> bool:
    """By its header; lists of other relays have the same, and are told by their name."""
    if _OTHER_RELAYS.search(sample.name.rpartition("/")[2]):
        return False
    return any(_HEADER.match(text) for text in sample.lines[:5])


def _is_addresses(sample: Sample) -> bool:
    return any(text.startswith("ExitNode ") for text in sample.lines[:5])


FORMATS = (
    Format(
        name="tor-exits-csv",
        title="Tor exits as CSV: fingerprint, ipaddr, port (LOW; 24 h)",
        group="Reputation lists",
        usual="tor-exits.csv",
        example="fingerprint, ipaddr, port\n0008D9640FE4947F73E355F67E20C2D290BBC72C, 203.0.113.5, 443",
        recognises=_is_csv,
        reader=TorCsvReader,
        full_list=True,
    ),
    Format(
        name="tor-exit-addresses",
        title="Tor's exit-addresses (LOW; 24 h)",
        group="Reputation lists",
        usual="curl -s https://check.torproject.org/exit-addresses",
        example=(
            "ExitNode 0008D9640FE4947F73E355F67E20C2D290BBC72C\nPublished 2026-01-05 09:01:02\n"
            "LastStatus 2026-01-05 10:00:00\nExitAddress 203.0.113.5 2026-01-05 10:03:04"
        ),
        recognises=_is_addresses,
        reader=TorAddressesReader,
        full_list=True,
    ),
)
