"""Files of Zeek's Intel framework: tab-separated indicators, of which addresses and networks are taken."""

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.dated_list import DatedList
from tocsin.sources.reading import Block, Claim, Reading, skipped
from tocsin.sources.sample import Sample

_HEADER = "#fields\tindicator"
_TAKEN = ("Intel::ADDR", "Intel::SUBNET")


class ZeekIntelReader(DatedList):
    """Reads one file; its `#fields` line names the columns."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._columns = {"indicator": 0, "indicator_type": 1}

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records, level, observed, expires = 0, self.level, self.observed, self.expires
        for number, text in zip(block.numbers, block.records, strict=True):
            if text.startswith("#"):
                self._header(text)
                continue
            if not text.strip():
                continue
            records += 1
            cells = text.split("\t")
            try:
                kind, indicator = cells[self._columns["indicator_type"]], cells[self._columns["indicator"]]
            except IndexError:
                detail = "has fewer columns than its #fields line names"
                skips.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
                continue
            if kind in _TAKEN:
                claims.append(Claim(number, indicator, level, observed, expires, self._said(cells)))
            else:
                skips.append(skipped(number, text, SkipReason.NO_ADDRESS, f"is an indicator of type {kind[:40]}"))
        return records

    def _header(self, text: str) -> None:
        name, *columns = text.split("\t")
        if name == "#fields":
            self._columns = {column: at for at, column in enumerate(columns)}

    def _said(self, cells: list[str]) -> str:
        words = [cells[at] for name in ("meta.source", "meta.desc") if (at := self._columns.get(name, -1)) >= 0]
        return legal_message("Intel " + " ".join(word for word in words if word != "-"))


def _recognises(sample: Sample) -> bool:
    return any(text.startswith(_HEADER) for text in sample.lines[:10])


FORMATS = (
    Format(
        name="zeek-intel",
        title="a file of Zeek's Intel framework: Intel::ADDR and Intel::SUBNET (MEDIUM; 48 h)",
        group="Reputation lists",
        example=(
            "#fields\tindicator\tindicator_type\tmeta.source\tmeta.do_notice\tmeta.desc\n"
            "203.0.113.5\tIntel::ADDR\tExample-Feed\tF\tCompromised-IPs"
        ),
        recognises=_recognises,
        reader=ZeekIntelReader,
        full_list=True,
    ),
)
