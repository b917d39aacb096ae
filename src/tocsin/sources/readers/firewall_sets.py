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

_SAID = "in a firewall set"
_ADDING = ("add ", "-A ")
_MOST_KNOWN = 100_000  # more than a day has seconds
_ADD = re.compile(r"(?:add|-A) \S+ (?P<element>\S+)(?P<rest>.*)")
_CREATE = re.compile(r"(?:create|-N) \S+ (?:hash|bitmap):(?:ip|net)\S* .*")
_TABLE = re.compile(r"\s*table (?:ip|ip6|inet|netdev|bridge) \S+ \{\s*")
_ELEMENTS = re.compile(r"\s*elements = \{(?P<rest>.*)")
_LEFT_S = re.compile(r"\b(?:timeout|expires) ([0-9][0-9a-z]*)")
_ADDRESS = re.compile(r"[0-9a-fA-F]*+[:.][0-9a-fA-F:.]*+(?:/\d{1,3}|-[0-9a-fA-F:.]++)?")


class FirewallSetReader(DatedList):
    """Reads one listing; an element that ends by itself is claimed until then."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._ends = dict[str, datetime]()
        self._within = False
        """Whether the lines are those of the elements of a set of nftables."""

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records, level, observed, expires, ends = 0, self.level, self.observed, self.expires, self._ends
        for number, text in zip(block.numbers, block.records, strict=True):
            # Most lines of `ipset save` are an address, which is held to the rules like any other, and a timeout.
            added = text.split(" ", 3) if text[:4] == "add " else []
            if len(added) > 2 and "." in added[2] and "," not in added[2]:
                records += 1
                end = expires if len(added) == 3 else ends.get(added[3]) or self._end(added[3])
                claims.append(Claim(number, added[2], level, observed, end, _SAID))
                continue
            for element, rest in self._elements(text):
                records += 1
                address = element.partition(",")[0]  # hash:ip,port
                if _ADDRESS.fullmatch(address):
                    end = ends.get(rest) or self._end(rest)
                    claims.append(Claim(number, address, level, observed, end, _SAID))
                else:
                    skips.append(skipped(number, text, SkipReason.NO_ADDRESS, f"{address[:40]!r} is no address"))
        return records

    def _elements(self, text: str) -> Iterator[tuple[str, str]]:
        """Each element of a line, and what is told of it."""
        if text.startswith(_ADDING) and (added := _ADD.fullmatch(text)):
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
        if len(self._ends) >= _MOST_KNOWN:
            self._ends.clear()
        left = _LEFT_S.findall(rest.partition("comment ")[0])
        seconds = span(left[-1]) if left else timedelta()
        end = self._ends[rest] = self.observed + seconds if seconds else self.expires
        return end


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
