"""Sets of addresses as firewalls print them: `ipset save`, and `nft list set` or `nft list ruleset`.

Of a ruleset only the elements of sets are read: an address in a rule may as well be one that is let in.
"""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.times import span
from tocsin.sources.readers.dated_list import DatedList
from tocsin.sources.reading import Block, Claim, Reading, skipped
from tocsin.sources.sample import Sample

_ADD = re.compile(r"(?:add|-A) \S+ (?P<element>\S+)(?P<rest>.*)")
_CREATE = re.compile(r"(?:create|-N) \S+ (?:hash|bitmap):(?:ip|net)\S* .*")
_TABLE = re.compile(r"\s*table (?:ip|ip6|inet|netdev|bridge) \S+ \{\s*")
_ELEMENTS = re.compile(r"\s*elements = \{(?P<rest>.*)")
_LEFT_S = re.compile(r"\b(?:timeout|expires) (?P<span>[0-9][0-9a-z]*)")
_ADDRESS = re.compile(r"[0-9a-fA-F]*+[:.][0-9a-fA-F:.]*+(?:/\d{1,3}|-[0-9a-fA-F:.]++)?")


class FirewallSetReader(DatedList):
    """Reads one listing; an element that ends by itself is claimed until then."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._within = False
        """Whether the lines are those of the elements of a set of nftables."""

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records = 0
        for number, text in zip(block.numbers, block.records, strict=True):
            for element, rest in self._elements(text):
                records += 1
                address = element.partition(",")[0]  # hash:ip,port
                if _ADDRESS.fullmatch(address):
                    claims.append(
                        Claim(number, address, self.level, self.observed, self._end(rest), "in a firewall set")
                    )
                else:
                    skips.append(skipped(number, text, SkipReason.NO_ADDRESS, f"{address[:40]!r} is no address"))
        return records

    def _elements(self, text: str) -> Iterator[tuple[str, str]]:
        """Each element of a line, and what is told of it."""
        if added := _ADD.fullmatch(text.strip()):
            yield added["element"], added["rest"]
            return
        if begins := _ELEMENTS.fullmatch(text):
            self._within, text = True, begins["rest"]
        if not self._within:
            return
        inside, ends, _ = text.partition("}")
        self._within = not ends
        for part in inside.split(","):
            element, _, rest = part.strip().partition(" ")
            if element:
                yield element, rest

    def _end(self, rest: str) -> datetime:
        """The last span told of an element is what is left of it."""
        left = [found["span"] for found in _LEFT_S.finditer(rest)]
        seconds = span(left[-1]) if left else timedelta()
        return self.observed + seconds if seconds else self.expires


def _recognises(sample: Sample) -> bool:
    head = sample.lines[:20]
    if any(_TABLE.fullmatch(text) for text in head):
        return b"elements = {" in sample.head
    added = (_ADD.fullmatch(text.strip()) for text in head)
    return any(_CREATE.fullmatch(text) for text in head) or any(
        one is not None and _ADDRESS.fullmatch(one["element"].partition(",")[0]) for one in added
    )


FORMATS = (
    Format(
        name="firewall-set",
        title="sets of ipset and nftables as they print them (MEDIUM; until the end of an element, else 48 h)",
        group="Reputation lists",
        usual="ipset save blocklist",
        example=(
            "create blocklist hash:ip family inet hashsize 1024 maxelem 65536\n"
            "add blocklist 203.0.113.5\nadd blocklist 203.0.113.6 timeout 3600"
        ),
        recognises=_recognises,
        reader=FirewallSetReader,
        full_list=True,
    ),
)
