"""The formats Tocsin reads, and how to tell which one an input is in."""

from difflib import get_close_matches
from functools import cache

from tocsin.sources.errors import SourceError
from tocsin.sources.format import Format
from tocsin.sources.mapping.builtin import profile_formats
from tocsin.sources.readers import (
    address_list,
    cef,
    fail2ban_log,
    fail2ban_sqlite,
    fast_alerts,
    firewall_sets,
    ipsum,
    jsonl,
    spamhaus,
    sshd,
    tor,
    web_access_json,
    web_logs,
    zeek_intel,
)
from tocsin.sources.sample import Sample


@cache
def formats() -> tuple[Format, ...]:
    """All of them, in the order in which they are tried: what could be taken for anything comes last."""
    return (
        *jsonl.FORMATS,
        *ipsum.FORMATS,
        *spamhaus.FORMATS,
        *tor.FORMATS,
        *zeek_intel.FORMATS,
        *profile_formats(),
        *fail2ban_sqlite.FORMATS,
        *cef.FORMATS,
        *fail2ban_log.FORMATS,
        *sshd.FORMATS,
        *fast_alerts.FORMATS,
        *web_logs.FORMATS,
        *web_access_json.FORMATS,
        *firewall_sets.FORMATS,
        *address_list.FORMATS,
    )


def format_named(name: str) -> Format:
    """Raises: SourceError, which lists the names there are."""
    for known in formats():
        if known.name == name:
            return known
    names = [known.name for known in formats()]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(names)}"
    raise SourceError(f"{name!r} is no format that Tocsin reads", hint=f"{hint}; `tocsin formats` shows them")


def format_of(sample: Sample, *, name: str) -> Format:
    """
    The format of an input that begins with `sample`; `name` is what to call it.

    Raises: SourceError, when no format knows it.
    """
    if not sample.head.strip():
        raise SourceError(f"{name} is empty", hint="if an empty list is what you mean, name its format with --format")
    for known in formats():
        if known.recognises(sample):
            return known
    hint = (
        "`tocsin formats` shows them with an example each; --format NAME reads it as one of them nevertheless, and "
        "--mapping FILE by a mapping of your own (docs/sources.md)"
    )
    raise SourceError(f"{name} is in no format that Tocsin knows by its content", hint=hint)
