"""Writes docs/sources.md from the registry of formats, so that the page cannot say what the code does not."""

import ast
import inspect
from collections.abc import Iterator
from itertools import groupby, pairwise
from pathlib import Path

from msgspec import inspect as types

from tocsin.cli.send_report import TITLES
from tocsin.signals import SkipReason
from tocsin.sources import Format, formats
from tocsin.sources.mapping import profile
from tocsin.sources.mapping.builtin import profile_text
from tocsin.sources.mapping.times import FORMS

PAGE = Path(__file__).parent / "sources.md"
HEAD = Path(__file__).parent / "sources_head.md"


def page() -> str:
    """The whole page."""
    return (
        HEAD.read_text(encoding="utf-8")
        + "\n"
        + "\n".join([*_keys(), *_times(), *_reasons(), *_formats()]).rstrip()
        + "\n"
    )


def command(form: Format) -> str:
    """What to type to send it."""
    if " " in form.usual:
        return f'{form.usual} | tocsin send - --to "$ORG"'
    return f'tocsin send {form.usual} --to "$ORG"'


def _keys() -> Iterator[str]:
    yield "### Keys of a mapping\n"
    yield "`profile`, `message`, `ip.paths` and a `level` must be there, and of the others what is so marked"
    yield "where its table is. A file with another key than these is refused.\n"
    yield "| key | without it | what it says |"
    yield "| --- | --- | --- |"
    texts = _attribute_texts(ast.parse(inspect.getsource(profile)))
    yield from _rows(types.type_info(profile.Profile), "", texts)
    yield ""  # ends the table


def _rows(kind: types.Type, before: str, texts: dict[tuple[str, str], str]) -> Iterator[str]:
    if (struct := _struct_of(kind)) is None:
        return
    for field in struct.fields:
        key = f"{before}{field.name}"
        if text := texts.get((struct.cls.__name__, field.name)):
            yield f"| `{key}` | {_without(field)} | {_choices(field.type)}{text} |"
        yield from _rows(field.type, f"{key}.", texts)


def _struct_of(kind: types.Type) -> types.StructType | None:
    each = kind.types if isinstance(kind, types.UnionType) else (kind,)
    items = (one.item_type if isinstance(one, types.VarTupleType) else one for one in each)
    return next((one for one in items if isinstance(one, types.StructType)), None)


def _without(field: types.Field) -> str:
    if field.required:
        return "must be there"
    return f"`{field.default}`" if isinstance(field.default, str) and field.default else ""


def _choices(kind: types.Type) -> str:
    return f"One of {', '.join(f'`{one}`' for one in kind.values)}. " if isinstance(kind, types.LiteralType) else ""


def _attribute_texts(module: ast.Module) -> dict[tuple[str, str], str]:
    """The text under each attribute, by the name of its class and its own: at run time nobody knows it."""
    found = {}
    for one in module.body:
        if isinstance(one, ast.ClassDef):
            for field, text in pairwise(one.body):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    found[one.name, ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return found


def _times() -> Iterator[str]:
    yield "### Forms of a time\n"
    yield "| form | what it reads |"
    yield "| --- | --- |"
    for name, parse in FORMS.items():
        yield f"| `{name}` | {' '.join((parse.__doc__ or '').split())} |"
    strptime = "[strptime](https://docs.python.org/3/library/datetime.html#format-codes)"
    yield f"| with a `%` in it | As {strptime} has it: `%d.%m.%Y %H:%M:%S`. |"
    yield "\nTimes that name no offset are of `--timezone`, or `timezone` of the relay's source;"
    yield "those without a year are of the latest that fits.\n"


def _reasons() -> Iterator[str]:
    yield "## Why a record made no signal\n"
    yield "| key | broken? | what it means |"
    yield "| --- | --- | --- |"
    for reason in SkipReason:
        yield f"| `{reason}` | {'yes' if reason.broken else ''} | {TITLES[reason].removeprefix('broken: ')} |"
    yield "\nBroken records are for a person to look at: they are shown with their place, and `send` ends with 1.\n"


def _formats() -> Iterator[str]:
    yield "## Formats\n"
    yield "The addresses of the examples are those of documentation, and their times are past: to try one, add"
    yield "`--allow-non-global --as-of 2026-01-05T12:00:00Z`.\n"
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
