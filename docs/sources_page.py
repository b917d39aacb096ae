"""Writes docs/sources.md from the registry of formats, so that the page cannot say what the code does not."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tocsin.cli.send_report import TITLES
from tocsin.signals import SkipReason
from tocsin.sources import Format, formats
from tocsin.sources.mapping.builtin import profile_text

PAGE = Path(__file__).parent / "sources.md"
HEAD = Path(__file__).parent / "sources_head.md"


def page() -> str:
    """The whole page."""
    return HEAD.read_text(encoding="utf-8") + "\n" + "\n".join([*_reasons(), *_formats()]).rstrip() + "\n"


def command(form: Format) -> str:
    """What to type to send it."""
    if " " in form.usual:
        return f'{form.usual} | tocsin send - --to "$ORG"'
    return f'tocsin send {form.usual} --to "$ORG"'


def _reasons() -> Iterator[str]:
    yield "## Why a record made no signal\n"
    yield "| key | broken? | what it means |"
    yield "| --- | --- | --- |"
    for reason in SkipReason:
        yield f"| `{reason}` | {'yes' if reason.broken else ''} | {TITLES[reason].removeprefix('broken: ')} |"
    yield "\nBroken records are for a person to look at: they are shown with their place, and `send` ends with 1.\n"


def _formats() -> Iterator[str]:
    yield "## Formats\n"
    ordered = sorted(formats(), key=lambda form: (form.group, form.name))
    for group, forms in groupby(ordered, key=lambda form: form.group):
        yield f"### {group}\n"
        for form in forms:
            yield from _one(form)


def _one(form: Format) -> Iterator[str]:
    yield f"#### {form.name}\n"
    yield f"{form.title[:1].upper()}{form.title[1:]}.\n"
    yield f"```sh\n{command(form)}\n```\n"
    yield f"```\n{form.example}\n```\n"
    if profile_text(form.name):
        yield f"Its mapping: [`{form.name}.yaml`](../src/tocsin/sources/profiles/{form.name}.yaml).\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
