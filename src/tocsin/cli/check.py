"""`tocsin check`: what is known about an IP, and why."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import httpx2
import msgspec
import typer

from tocsin.cli.credentials import read_token
from tocsin.cli.serve import DEFAULT_DATA, DataOption
from tocsin.errors import TocsinError
from tocsin.org.folder import DataFolder
from tocsin.org.http.risk import IPS_PATH
from tocsin.org.http.server import is_loopback
from tocsin.org.http.views import IpView, ProviderWordView, ip_view
from tocsin.org.org import open_org
from tocsin.signals import canonical_ip, ip_key

_TIMEOUT_S = 20.0


class NotAnswered(TocsinError):
    """The org could not be asked. Nothing was changed."""


def check_command(
    ips: Annotated[list[str], typer.Argument(metavar="IP...", help="IPv4 or IPv6 addresses.")],
    data: DataOption = DEFAULT_DATA,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask a running org instead.", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds the token for --to, unless TOCSIN_TOKEN does.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say how risky each IP is now, and why: read from a data folder, or asked of a running org."""
    addresses = [_canonical(ip) for ip in ips]
    views = ask(addresses, to.rstrip("/"), read_token(token_file)) if to else asyncio.run(_read(addresses, data))
    for view in views:
        typer.echo(msgspec.json.encode(view).decode() if json else text_of(view))


def text_of(view: IpView) -> str:
    """`view` for people: a line for the IP, and one for each provider that spoke about it."""
    if not view.providers:
        return f"{view.ip}  nothing is known"
    level, effective = view.level or "none", view.effective_level or "none"
    return "\n".join([f"{view.ip}  {level} (enforced: {effective})", *map(_line, view.providers)])


def _line(word: ProviderWordView) -> str:
    ends = "expired" if word.expired else "expires"
    message = f", {word.message!r}" if word.message else ""
    place = f"journal {word.journal.seq}, event {word.journal.event}, subject {word.journal.subject}"
    said = f"{word.level}{message}, observed {word.observed}, {ends} {word.expires}"
    return f"  {word.name} ({word.action}) says {said} [{place}]"


def _canonical(ip: str) -> str:
    try:
        return canonical_ip(ip)
    except ValueError as error:
        raise NotAnswered(str(error), hint="give single addresses, such as 203.0.113.9") from None


async def _read(addresses: Sequence[str], data: Path) -> list[IpView]:
    async with open_org(DataFolder.open(data, create=False)) as org:
        keys = [ip_key(address) for address in addresses]
        return [ip_view(key, await org.look_up(key)) for key in keys]


def ask(addresses: Sequence[str], url: str, token: str) -> list[IpView]:
    """What the running org at `url` says of each address. Raises NotAnswered."""
    _refuse_in_clear(url)
    try:
        with httpx2.Client(headers={"authorization": f"SSWS {token}"}, timeout=_TIMEOUT_S) as client:
            return [_view(client.get(f"{url}{IPS_PATH}{address}"), url) for address in addresses]
    except httpx2.TransportError as error:
        raise NotAnswered(f"{url} did not answer: {error}", hint="check the URL, and that the org runs") from error


def _refuse_in_clear(url: str) -> None:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise NotAnswered(f"{url!r} is not a URL: {error}", hint="write it as http://127.0.0.1:8420") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise NotAnswered(f"{url!r} is not a URL of http or https", hint="write it as http://127.0.0.1:8420")
    if parsed.scheme == "http" and not is_loopback(parsed.host):
        raise NotAnswered(f"{url} would carry the token in the clear; nothing was sent", hint="use https")


def _view(response: httpx2.Response, url: str) -> IpView:
    if response.status_code != httpx2.codes.OK:
        text = f"{url} answered {response.status_code} {response.reason_phrase}"
        hint = "check the token" if response.status_code in (401, 403) else "check that the URL is one of an org"
        raise NotAnswered(text, hint=hint)
    try:
        return msgspec.json.decode(response.content, type=IpView)
    except msgspec.MsgspecError as error:
        raise NotAnswered(f"{url} answered something else: {error}", hint="check that it is an org") from error
