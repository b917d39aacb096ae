"""`tocsin check`: what is known about an IP, and why."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from tocsin.cli.credentials import read_token
from tocsin.cli.opened import opened_folder
from tocsin.cli.options import DEFAULT_DATA, DataOption, OrgOption, TokenFileOption
from tocsin.cli.printable import printable
from tocsin.errors import TocsinError
from tocsin.loopback import PLAIN_HTTP_HINT
from tocsin.okta import ApiClient, ApiException, Configuration, InsecureHostError, RESTResponse
from tocsin.okta.operations import Operation
from tocsin.okta.request import Call
from tocsin.signals import canonical_ip, ip_key

if TYPE_CHECKING:  # the org's modules are imported by the functions that need them: they are slow to start
    from tocsin.org.http.views import IpView, ProviderWordView

_TIMEOUT_S = 20.0
_LOOK_UP = Operation(
    api="Tocsin",
    name="look_up",
    method="GET",
    path="/risk/v1/ips/{ip}",
    summary="What is known about an IP",
    description="Ours, and no part of the documented API.",
    statuses=(200, 400, 401, 403),
)


class NotAnswered(TocsinError):
    """There is no answer to what was asked. Nothing was changed."""


def check_command(
    ips: Annotated[list[str], typer.Argument(metavar="IP...", help="IPv4 or IPv6 addresses.")],
    data: DataOption = DEFAULT_DATA,
    org: OrgOption = None,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask a running org instead.", show_default=False)
    ] = None,
    token_file: TokenFileOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Say how risky each IP is now, and why: read from a data folder, or asked of a running org."""
    if to and data != DEFAULT_DATA:
        raise typer.BadParameter("one of --to and --data, not both", param_hint="--to")
    addresses = [_canonical(ip) for ip in ips]
    views = ask(addresses, to, read_token(token_file)) if to else asyncio.run(_read(addresses, data, org))
    for view in views:
        typer.echo(msgspec.json.encode(view).decode() if json else text_of(view))


def ask(addresses: Sequence[str], url: str, token: str) -> list["IpView"]:
    """What the running org at `url` says of each address. Raises NotAnswered, or what the SDK raises."""
    configuration = Configuration(host=url, api_key={"apiToken": token}, retries=0, timeout_s=_TIMEOUT_S)
    with ApiClient(configuration) as client:
        paths = [_LOOK_UP.path.replace("{ip}", address) for address in addresses]
        try:
            return [client.perform(Call(_LOOK_UP, path, None, {}), _view) for path in paths]
        except InsecureHostError as error:
            raise NotAnswered(error.summary, hint=PLAIN_HTTP_HINT) from None


def text_of(view: "IpView") -> str:
    """`view` for people: a line for the IP, and one for each provider that spoke about it."""
    does = f"policy: {view.policy.action} ({view.policy.rule})"
    if not view.providers:
        return f"{view.ip}  nothing is known, {does}"
    level, effective = view.level or "none", view.effective_level or "none"
    until = f" until {view.until}" if view.until else ""
    return "\n".join([f"{view.ip}  {level} (enforced: {effective}{until}), {does}", *map(_line, view.providers)])


def _line(word: "ProviderWordView") -> str:
    ends = "expired" if word.expired else "expires"
    message = f", {word.message!r}" if word.message else ""
    place = f"journal {word.journal.seq}, event {word.journal.event}, subject {word.journal.subject}"
    said = f"{word.level}{message}, observed {word.observed}, {ends} {word.expires}"
    return f"  {printable(word.name)} ({word.action}) says {said} [{place}]"


def _canonical(ip: str) -> str:
    try:
        return canonical_ip(ip)
    except ValueError as error:
        raise NotAnswered(str(error), hint="give single addresses, such as 203.0.113.9") from None


async def _read(addresses: Sequence[str], data: Path, name: str | None) -> list["IpView"]:
    from tocsin.org.http.views import ip_view
    from tocsin.org.opening import open_org

    async with opened_folder(data, name) as folder, open_org(folder) as org:
        keys = [ip_key(address) for address in addresses]
        return [ip_view(key, await org.look_up(key)) for key in keys]


def _view(response: RESTResponse) -> "IpView":
    from tocsin.org.http.views import IpView

    if response.status != 200:
        ApiException.from_response(http_resp=response, data=None)
    try:
        return msgspec.json.decode(response.data, type=IpView)
    except msgspec.MsgspecError as error:
        text = f"{response.url} answered something else than what is known about an IP: {error}"
        raise NotAnswered(text, hint="check that it is a Tocsin org") from None
