"""What a mapping file may say, as a struct whose types hold the limits. YAML or TOML, by the end of its name."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta, Struct

from tocsin.mistakes import mistake
from tocsin.signals import RiskLevel
from tocsin.sources.config import Life
from tocsin.sources.errors import SourceError

_MAX_FILE_BYTES = 1024 * 1024
_HINTS = {
    "(s|m|h|d)": "a span of time is written 90m, 24h or 7d",
    ".level": "a level is HIGH, MEDIUM, LOW or none",
}
"""What to do about a mistake, by a part of what msgspec says of it."""
LevelWord = Literal["HIGH", "MEDIUM", "LOW", "none"]
"""`none` is a decision too: this value makes no signal."""


class _Table(Struct, frozen=True, forbid_unknown_fields=True):
    pass


class RecordsRule(_Table, frozen=True, kw_only=True):
    """How an input is cut into records."""

    format: Literal["json", "csv", "json-or-csv", "zeek", "json-or-zeek", "parquet", "lines"] = "json"
    """
    `json` in lines, in an array or as documents; `json-or-csv` for exports that come as either; `zeek` for its logs
    with `#fields`; `parquet` needs the extra of that name.
    """
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    """Of a CSV file: one sign, such as `;` or `\\t`."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a CSV file without a header."""
    pattern: str = ""
    """Of a line: a regular expression whose named groups are the fields."""


class IpRule(_Table, frozen=True):
    """Who is the attacker."""

    paths: Annotated[tuple[str, ...], Meta(min_length=1)]
    """In order: the first address that can be signalled is taken. A list at a path means all of it."""
    form: Literal["plain", "parts", "scoped", "stix-pattern"] = "plain"
    """How addresses are written there (`address_forms`)."""
    forwarded: str = ""
    """Path of X-Forwarded-For, which counts where the address is one of our proxies."""


class Band(_Table, frozen=True):
    """Numbers from `min` upwards, as far as the next band."""

    min: float
    """The smallest number of the band."""
    level: LevelWord
    """What it is given."""


class LevelRule(_Table, frozen=True, kw_only=True):
    """One way to a level: a table or bands for the value at a path, or one level always."""

    when: str = ""
    """Condition of the rule; without one it is for every record."""
    path: str = ""
    """Where the value of the tool's own scale stands."""
    table: dict[str, LevelWord] = {}
    """The level for a word or number there."""
    bands: tuple[Band, ...] = ()
    """The level for a range of numbers there."""
    always: LevelWord | None = None
    """The level without a look at any value."""


class TimeRule(_Table, frozen=True, kw_only=True):
    """When it was observed."""

    paths: tuple[str, ...] = ()
    """The first that holds something is the time; without any it is when the record is read."""
    formats: tuple[str, ...] = ()
    """How times are written: forms of the table below, or of `strptime`; empty: iso8601, epoch, go and us are tried."""


class ExpiresRule(_Table, frozen=True, kw_only=True):
    """Until when it holds: what the record says, else a life from when it was observed."""

    at: str = ""
    """Path of the end."""
    duration: str = ""
    """Path of a span of time from now on, such as Go's `3h59m`."""
    after: Life = "24h"
    """How long it holds without either, such as `90m`, `24h` or `7d`."""
    by_level: dict[RiskLevel, Life] = {}
    """The same for a level, in place of `after`."""
    since: str = ""
    """Path of the time from which `after` counts, where that is not the record's own: the date of the list."""


class SkipRule(_Table, frozen=True):
    """A record that says nothing against an address, and why."""

    when: str
    """Condition of the rule."""
    why: str
    """What `tocsin explain` says of such a record."""
    reason: Literal["no_claim", "no_address"] = "no_claim"
    """Under which it is counted."""


class Profile(_Table, frozen=True, kw_only=True):
    """A mapping: paths select (JMESPath), tables decide. Paths see the record, and its document as `parent`."""

    profile: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    """Its name: small letters, digits and dashes."""
    title: str = ""
    """What it reads, in one line."""
    group: str = "Your own"
    """Heading in the list of formats."""
    usual: str = "FILE"
    """Where such records usually are: a path, or a command that prints them."""
    example: str = ""
    """A record or two."""
    detect: str = ""
    """True for a record of this format and for no record of another."""
    reader: RecordsRule = RecordsRule()
    records: tuple[str, ...] = ()
    """Paths of the records in a document: the first that finds something; else the value is the record itself."""
    parent: bool = False
    """Whether those records are told the document they stand in."""
    within: dict[str, str] = {}
    """Paths of parts of those, by a name: they are the records then, each with its `parent` and its name `within`."""
    when: str = ""
    """True for records that may make a signal."""
    skip: tuple[SkipRule, ...] = ()
    """Records that say nothing against an address."""
    retract: str = ""
    """True where the source takes back what it said."""
    ip: IpRule
    level: LevelRule | tuple[LevelRule, ...]
    """The first rule that has a word for the record."""
    lower: tuple[str, ...] = ()
    """One step lower for each that is true, and never below LOW."""
    timestamp: TimeRule = TimeRule()
    expires: ExpiresRule = ExpiresRule()
    message: str
    """`{name}` is a field, and `[ ... ]` is left out when a field in it is."""
    fields: dict[str, str] = {}
    """Paths of what the message quotes, by a name."""
    grows: bool = False
    """Whether such a file is a log that a tool appends to, which the relay then follows."""
    full_list: bool = False
    """Whether a file holds all there is to say: what is no longer in it is let go."""


def load_profile(path: Path) -> Profile:
    """Raises: SourceError, which names file and key, when it cannot be read or breaks a rule."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1).decode()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", hint="name a mapping file in TOML or YAML") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path} is not text in UTF-8", hint="name a mapping file in TOML or YAML") from None
    if len(content) > _MAX_FILE_BYTES:
        raise SourceError(f"{path} is larger than {_MAX_FILE_BYTES:,} bytes", hint="name a mapping file")
    return parse_profile(content, name=str(path), toml=path.suffix == ".toml")


def parse_profile(content: str, *, name: str, toml: bool = False) -> Profile:
    """Raises: SourceError, as `load_profile`."""
    try:
        values = tomllib.loads(content) if toml else yaml.load(content, _LOADER)  # noqa: S506 - it is a safe loader
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        text = " ".join(str(error).split())
        raise SourceError(f"{name} is not {'TOML' if toml else 'YAML'}: {text}", hint="mend it there") from None
    try:
        return msgspec.convert(_text_keys(values), Profile, strict=False)
    except msgspec.ValidationError as error:
        what, hint = mistake(Profile, str(error))
        hints = (better for word, better in _HINTS.items() if word in str(error))
        is_of_a_key = " field `" in str(error)
        raise SourceError(f"{name}: {what}", hint=hint if is_of_a_key else next(hints, hint)) from None


def _text_keys(value: Any) -> Any:
    """YAML has numbers and truth values as keys: `1` and `"1"` are one row of a table."""
    if isinstance(value, dict):
        return {str(key).lower() if isinstance(key, bool) else str(key): _text_keys(one) for key, one in value.items()}
    return [_text_keys(one) for one in value] if isinstance(value, list) else value


def as_list(value: Any) -> Sequence[Any]:
    """`value`, or it alone in a list when it is none."""
    return value if isinstance(value, list | tuple) else (value,)


_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
