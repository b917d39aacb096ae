"""Spamhaus DROP as JSON lines. Its date stands in its last line, so its networks are held until that is read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin.signals import RiskLevel, Skipped, SkipReason
from tocsin.sources.format import Format
from tocsin.sources.framing import json_values
from tocsin.sources.opening import Opened
from tocsin.sources.reading import Block, Claim, Found, Reading, skipped
from tocsin.sources.sample import Sample

LIFE = timedelta(days=7)
_LAST = datetime.max.replace(tzinfo=UTC)
_MOST_HELD = 100_000  # some fifty times the list of today: what is longer is not held, and dated by when it is read


class SpamhausReader:
    """Reads one list. The list of numbers of networks (ASN-DROP) holds no addresses."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._level = reading.levels.get("*", RiskLevel.HIGH)
        self._held: list[tuple[int, str, str]] = []
        self._date: datetime | None = None

    def read(self, block: Block) -> Found:
        """See `Reader`."""
        records, skips = 0, list[Skipped]()
        for number, record in zip(block.numbers, block.records, strict=True):
            if isinstance(record, dict) and record.get("type") == "metadata":
                self._date = _date(record.get("timestamp"))
                continue
            records += 1
            network = record.get("cidr") if isinstance(record, dict) else None
            if isinstance(network, str):
                self._held.append((number, network, str(record.get("sblid", ""))))
            elif isinstance(record, dict) and "asn" in record:
                detail = "names a network by its number, which is no address"
                skips.append(skipped(number, record, SkipReason.NO_ADDRESS, detail))
            else:
                skips.append(skipped(number, record, SkipReason.NOT_A_RECORD, "has no cidr"))
        claims = self._claims() if self._date is not None or len(self._held) > _MOST_HELD else []
        return Found(records, claims, skips)

    def end(self) -> Found:
        """See `Reader`."""
        return Found(0, self._claims(), [])

    def _claims(self) -> list[Claim]:
        observed = self._reading.observed(self._date)
        try:
            expires = observed + (self._reading.life or LIFE)
        except OverflowError:  # a date that is yet to come, and refused as that
            expires = _LAST
        held, self._held = self._held, []
        return [
            Claim(number, network, self._level, observed, expires, f"Spamhaus DROP {sblid}".rstrip())
            for number, network, sblid in held
        ]


def _date(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _values(opened: Opened) -> Iterator[Block]:
    return json_values(opened.chunks())


def _is_drop(sample: Sample) -> bool:
    return any(isinstance(value, dict) and "cidr" in value and "sblid" in value for value in sample.values[:5])


def _is_asn_drop(sample: Sample) -> bool:
    return any(isinstance(value, dict) and "asn" in value and "rir" in value for value in sample.values[:5])


FORMATS = (
    Format(
        name="spamhaus-drop",
        title="Spamhaus DROP as JSON: networks, small ones address by address (HIGH; 7 d)",
        group="Reputation lists",
        usual="curl -s https://www.spamhaus.org/drop/drop_v4.json",
        example=(
            '{"cidr":"203.0.113.0/28","sblid":"SBL000000","rir":"ripencc"}\n'
            '{"type":"metadata","timestamp":1767607200,"records":1}'
        ),
        recognises=_is_drop,
        reader=SpamhausReader,
        records=_values,
        full_list=True,
    ),
    Format(
        name="spamhaus-asn-drop",
        title="Spamhaus ASN-DROP: numbers of networks, which are no addresses; every record is skipped and counted",
        group="Reputation lists",
        usual="curl -s https://www.spamhaus.org/drop/asndrop.json",
        example='{"asn":64496,"rir":"arin","domain":"x.example","cc":"ZZ","asname":"EXAMPLE"}',
        recognises=_is_asn_drop,
        reader=SpamhausReader,
        records=_values,
        full_list=True,
    ),
)
