"""The ipsum list (github.com/stamparm/ipsum): an address, a tab, and on how many public blocklists it stands.

Bands and life are our choice; ipsum's own advice is to block from 3.
"""

import re

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.readers.bands import Band, level_of
from tocsin.sources.readers.dated_list import DatedList
from tocsin.sources.reading import Block, Claim, skipped
from tocsin.sources.sample import Sample

BANDS = (Band(5, RiskLevel.HIGH), Band(3, RiskLevel.MEDIUM), Band(2, RiskLevel.LOW))
EXAMPLE = "# Last update: Mon, 05 Jan 2026 03:00:29 +0200\n203.0.113.5\t4"

_RECORD = re.compile(r"[0-9a-fA-F]*[.:]\S*\t[0-9]{1,6}")
_WEAK = f"stands on fewer than {BANDS[-1].least} lists"


class IpsumReader(DatedList):
    """Reads one list."""

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records = 0
        known = dict[str, tuple[RiskLevel, str] | None]()
        for number, text in zip(block.numbers, block.records, strict=True):
            ip, tab, count = text.strip().partition("\t")
            if not tab or count not in known:
                if not ip or ip.startswith("#"):
                    records += self.comment(number, text, skips)
                    continue
                if not _RECORD.fullmatch(text.strip()):
                    records += 1
                    detail = "is not an address, a tab and a number of lists"
                    skips.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
                    continue
                known[count] = self._meaning(int(count))
            records += 1
            if (meaning := known[count]) is None:
                skips.append(Skipped(SkipReason.BELOW_BANDS, number, _WEAK, text[:60]))
            else:
                claims.append(Claim(number, ip, meaning[0], self.observed, self.expires, meaning[1]))
        return records

    def _meaning(self, lists: int) -> tuple[RiskLevel, str] | None:
        level = self.reading.levels.get(str(lists)) or level_of(lists, BANDS)
        return (level, f"ipsum listed by {lists} blocklists") if level else None


def recognises(sample: Sample) -> bool:
    """Whether an input looks like this format."""
    records = [text for text in sample.lines if text and not text.startswith("#")][:20]
    return bool(records) and sum(_RECORD.fullmatch(text) is not None for text in records) * 2 > len(records)


FORMATS = (
    Format(
        name="ipsum",
        title="the ipsum list: an address, a tab, on how many blocklists it stands (5: HIGH, 3: MEDIUM, 2: LOW; 48 h)",
        group="Reputation lists",
        usual="curl -sL https://raw.githubusercontent.com/stamparm/ipsum/master/ipsum.txt",
        example=EXAMPLE,
        recognises=recognises,
        reader=IpsumReader,
        full_list=True,
    ),
)
