"""Files of Zeek's Intel framework: tab-separated indicators, of which addresses and networks are taken."""

from tocsin.signals import Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.mapping.messages import legal_message
from tocsin.sources.readers.dated_list import DatedList
from tocsin.sources.reading import Block, Claim, Reading, skipped
from tocsin.sources.sample import Sample

_HEADER = "#fields\tindicator"
_SAID = ("meta.source", "meta.desc")
_MOST_KNOWN = 4096
_TAKEN = ("Intel::ADDR", "Intel::SUBNET")


class ZeekIntelReader(DatedList):
    """Reads one file; its `#fields` line names the columns."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._columns = {"indicator": 0, "indicator_type": 1}
        self._known = dict[str, tuple[str, str]]()

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records, level, observed, expires = 0, self.level, self.observed, self.expires
        known, first = self._known, self._first
        for number, text in zip(block.numbers, block.records, strict=True):
            if text[:1] == "#":
                self._header(text)
                first = self._first
                continue
            indicator, _, rest = text.partition("\t")
            if not indicator.strip():
                continue
            records += 1
            # A feed says the same of all its indicators; files with another order of columns are read as they are.
            meaning = known.get(rest) or self._meaning(text, rest)
            if meaning is None:
                detail = "has fewer columns than its #fields line names"
                skips.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
            elif meaning[0] in _TAKEN:
                address = indicator if first else text.split("\t")[self._columns["indicator"]]
                claims.append(Claim(number, address, level, observed, expires, meaning[1]))
            else:
                detail = f"is an indicator of type {meaning[0][:40]}"
                skips.append(skipped(number, text, SkipReason.NO_ADDRESS, detail))
        return records

    def _header(self, text: str) -> None:
        name, *columns = text.split("\t")
        if name == "#fields" and "indicator" in columns and "indicator_type" in columns:
            self._columns = {column: at for at, column in enumerate(columns)}
            self._known.clear()

    @property
    def _first(self) -> bool:
        return self._columns["indicator"] == 0

    def _meaning(self, text: str, rest: str) -> tuple[str, str] | None:
        """The type of an indicator and what is said of it; None when a column is missing."""
        cells = text.split("\t")
        if len(cells) <= max(self._columns["indicator"], self._columns["indicator_type"]):
            return None
        words = (cells[at] for name in _SAID if 0 <= (at := self._columns.get(name, -1)) < len(cells))
        said = legal_message("Intel " + " ".join(word for word in words if word != "-"))
        meaning = cells[self._columns["indicator_type"]], said
        if self._first:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[rest] = meaning
        return meaning


def _recognises(sample: Sample) -> bool:
    return any(text.startswith(_HEADER) for text in sample.lines[:10])


FORMATS = (
    Format(
        name="zeek-intel",
        title="a file of Zeek's Intel framework: Intel::ADDR and Intel::SUBNET (MEDIUM; 48 h)",
        group="Reputation lists",
        usual="/opt/zeek/share/zeek/site/intel/compromised-ips.intel",
        example=(
            "#fields\tindicator\tindicator_type\tmeta.source\tmeta.do_notice\tmeta.desc\n"
            "203.0.113.5\tIntel::ADDR\tExample-Feed\tF\tCompromised-IPs"
        ),
        recognises=_recognises,
        reader=ZeekIntelReader,
        full_list=True,
    ),
)
