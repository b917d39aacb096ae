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
        self._indicator, self._kind = 0, 1
        self._known = dict[tuple[str, ...], str]()

    def entries(self, block: Block, claims: list[Claim], skips: list[Skipped]) -> int:
        """See `DatedList`."""
        records, level, observed, expires = 0, self.level, self.observed, self.expires
        said = self._said
        for number, text in zip(block.numbers, block.records, strict=True):
            if text[:1] == "#":
                self._header(text)
                continue
            cells = text.split("\t")
            if not cells[0].strip():
                continue
            records += 1
            try:
                kind, indicator = cells[self._kind], cells[self._indicator]
            except IndexError:
                detail = "has fewer columns than its #fields line names"
                skips.append(skipped(number, text, SkipReason.NOT_A_RECORD, detail))
                continue
            if kind in _TAKEN:
                claims.append(Claim(number, indicator, level, observed, expires, said(cells)))
            else:
                skips.append(skipped(number, text, SkipReason.NO_ADDRESS, f"is an indicator of type {kind[:40]}"))
        return records

    def _header(self, text: str) -> None:
        name, *columns = text.split("\t")
        if name == "#fields":
            self._columns = {column: at for at, column in enumerate(columns)}
            self._indicator = self._columns.get("indicator", 0)
            self._kind = self._columns.get("indicator_type", 1)

    def _said(self, cells: list[str]) -> str:
        columns = self._columns
        words = tuple([cells[columns[name]] for name in _SAID if name in columns and columns[name] < len(cells)])
        said = self._known.get(words)
        if said is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            said = self._known[words] = legal_message("Intel " + " ".join(word for word in words if word != "-"))
        return said


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
