"""For one record: what was read, what was decided, and which rule decided. The same code decides as everywhere."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from tocsin.signals import Skipped
from tocsin.sources.mapping.mapped import MappedReader
from tocsin.sources.read import Input, broken_off
from tocsin.sources.reading import Block, Claim, Found, Reading
from tocsin.sources.vetting import Vetting

_RECORD_CHARS = 2000


class Explanation(NamedTuple):
    """How one record was taken."""

    number: int
    record: str
    """As it was read, at most 2,000 characters."""
    steps: list[str]
    """What was looked at in it."""
    outcomes: list[str]
    """What came of it, each with the rule that decided."""
    is_signal: bool


def explanations(source: Input, reading: Reading) -> Iterator[Explanation]:
    """One for each record of the input, in order; comments and blank lines have none."""
    reader, vetting = source.form.reader(reading), Vetting(reading)
    block = Block(range(0), [], 0)
    for block in source.form.records(source.opened):
        for broken in block.broken:
            yield _of_broken(broken)
        for number, record in zip(block.numbers, block.records, strict=True):
            found = reader.read(Block(range(number, number + 1), [record], block.end))
            yield from _held(found, number, vetting)
            if found.records:
                found = found._replace(claims=[claim for claim in found.claims if claim.number == number])
                steps = list(reader.explain(record)) if isinstance(reader, MappedReader) else []
                texts = [f"{step.what}: {step.found}" for step in steps]
                yield Explanation(number, _text(record), texts, *_outcomes(found, vetting))
    yield from _held(reader.end(), 0, vetting)
    if source.opened.cut_off is not None:
        yield _of_broken(broken_off(source.opened, block))


def _held(found: Found, number: int, vetting: Vetting) -> Iterator[Explanation]:
    """What is said of records before this one only now: some formats have their date in their last line."""
    for claim in found.claims:
        if claim.number != number:
            outcomes = _outcomes(found._replace(claims=[claim], skipped=[]), vetting)
            yield Explanation(claim.number, "as read above", [], *outcomes)


def _of_broken(broken: Skipped) -> Explanation:
    return Explanation(broken.line, broken.excerpt, [], [f"skipped as {broken.reason}: {broken.detail}"], False)


def _outcomes(found: Found, vetting: Vetting) -> tuple[list[str], bool]:
    texts = [f"skipped as {one.reason}: {one.detail}" for one in found.skipped]
    signals = 0
    for claim in found.claims:
        for verdict in vetting.verdicts(claim):
            if verdict.reason is not None:
                texts.append(f"skipped as {verdict.reason}: {verdict.rule}")
            else:
                signals += 1
                texts.append(_said(claim, verdict.ip, verdict.rule))
    return texts or ["counted, and nothing claimed yet"], bool(signals)


def _said(claim: Claim, ip: str, rule: str) -> str:
    if claim.retracts:
        return f"takes back what was said of {ip} ({rule})"
    observed, expires = (moment.isoformat(timespec="seconds") for moment in (claim.observed, claim.expires))
    return f"signal {ip} {claim.level}, observed {observed}, until {expires}, {claim.message!r} ({rule})"


def _text(record: Any) -> str:
    if isinstance(record, str):
        return record[:_RECORD_CHARS]
    if isinstance(record, dict):
        record = {key: value for key, value in record.items() if key != "parent"}
    return msgspec.json.encode(record, enc_hook=str)[:_RECORD_CHARS].decode(errors="replace")


class PathsFound(NamedTuple):
    """What the paths of a mapping find in an input: a typo finds nothing."""

    records: int
    """How many there are."""
    found: dict[str, int]
    """In how many each path finds something, by what it is for."""
    names: list[str]
    """What the first record has: columns, or the keys of an object."""


def paths_found(source: Input, reading: Reading) -> PathsFound:
    """See `PathsFound`."""
    reader = source.form.reader(reading)
    at_paths = reader.at_paths if isinstance(reader, MappedReader) else dict[str, Any]
    records, found, names = 0, dict.fromkeys(at_paths({}), 0), list[str]()
    for block in source.form.records(source.opened):
        records += len(block.records)
        for record in block.records:
            names = names or (list(record) if isinstance(record, dict) else [])
            for what, value in at_paths(record).items():
                found[what] += value is not None
    return PathsFound(records, found, names)
