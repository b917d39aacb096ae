"""The profiles that come with Tocsin, as formats."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.resources import files
from typing import Any

from tocsin.sources.format import Format, no_header
from tocsin.sources.framing import Framing, json_or, json_values, lines, rows
from tocsin.sources.framing.parquet_rows import parquet_rows
from tocsin.sources.framing.patterns import compile_pattern, matched
from tocsin.sources.framing.unfolding import unfolded
from tocsin.sources.framing.zeek_rows import zeek_header, zeek_rows
from tocsin.sources.mapping.mapped import MappedReader
from tocsin.sources.mapping.paths import at_key, compile_path, compile_test
from tocsin.sources.mapping.profile import Profile, RecordsRule, parse_profile
from tocsin.sources.opening import Opened
from tocsin.sources.reading import Block
from tocsin.sources.sample import PARQUET_MAGIC, Sample

_LOOKED_AT = 20


def profile_formats() -> Iterator[Format]:
    """One format for each file in `profiles`, by name."""
    for file in sorted(files("tocsin.sources").joinpath("profiles").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            yield profile_format(parse_profile(file.read_text(encoding="utf-8"), name=file.name))


def profile_text(name: str) -> str | None:
    """The file of a built-in profile, to read or to copy; None where the format is read by code."""
    file = files("tocsin.sources").joinpath("profiles", f"{name}.yaml")
    return file.read_text(encoding="utf-8") if file.is_file() else None


def profile_format(profile: Profile) -> Format:
    """The format that a profile describes. Raises: SourceError, when an expression of it is none."""
    return Format(
        name=profile.profile,
        title=profile.title,
        group=profile.group,
        usual=profile.usual,
        example=profile.example.rstrip("\n"),
        recognises=_recogniser(profile),
        reader=partial(MappedReader, profile),
        records=_records(profile),
        magic=PARQUET_MAGIC if profile.reader.format == "parquet" else b"",
        full_list=profile.full_list,
        grows=profile.grows,
        header=_header(profile.reader),
    )


def _header(rule: RecordsRule) -> Callable[[bytes], bytes]:
    """What of a beginning is needed to read on in the middle."""
    if rule.format in ("zeek", "json-or-zeek"):
        return zeek_header
    if rule.format in ("csv", "json-or-csv") and not rule.columns:
        return _first_row
    return no_header


def _first_row(head: bytes) -> bytes:
    first = head.partition(b"\n")[0]
    return b"" if first.lstrip().startswith((b"{", b"[")) else first + b"\n"


def _records(profile: Profile) -> Callable[[Opened], Iterator[Block]]:
    cut = _cutter(profile)
    with at_key("records"):
        outer = [compile_path(path) for path in profile.records]
    with at_key("within"):
        inner = {name: compile_path(path) for name, path in profile.within.items()}

    def records(opened: Opened) -> Iterator[Block]:
        blocks = cut(opened)
        return unfolded(blocks, outer, inner, parent=profile.parent) if outer or inner else blocks

    return records


def _cutter(profile: Profile) -> Callable[[Opened], Iterator[Block]]:
    if profile.reader.format == "parquet":
        return parquet_rows
    framing = _framing(profile)
    return lambda opened: framing(opened.chunks())


def _framing(profile: Profile) -> Framing:
    rule = profile.reader
    # Paths that are a name: the members of a document that may hold more records than fit into memory.
    parts = [path for path in profile.records or profile.within.values() if path.isidentifier()]
    by_row = partial(rows, delimiter=rule.delimiter, columns=rule.columns)
    match rule.format:
        case "json":
            return partial(json_values, parts=parts)
        case "csv":
            return by_row
        case "json-or-csv":
            return partial(json_or, parts=parts, otherwise=by_row)
        case "zeek":
            return zeek_rows
        case "json-or-zeek":
            return partial(json_or, parts=parts, otherwise=zeek_rows)
    with at_key("reader.pattern"):
        search = compile_pattern(rule.pattern)

    def by_pattern(chunks: Any) -> Iterator[Block]:
        return matched(lines(chunks), search)

    return by_pattern


def _recogniser(profile: Profile) -> Callable[[Sample], bool]:
    if not profile.detect:
        return lambda _sample: False
    rule = profile.reader
    with at_key("detect"):
        test = compile_test(profile.detect)

    def recognises(sample: Sample) -> bool:
        if sample.is_binary:
            return False
        values: list[Any] = sample.values if rule.format.startswith("json") else []
        if not values and rule.format.endswith("csv"):
            values = sample.rows(rule.delimiter, rule.columns)
        if rule.format.endswith("zeek") and sample.is_zeek:
            return True
        return any(test(value) for value in values[:_LOOKED_AT])

    return recognises
