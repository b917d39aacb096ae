"""The files that `tocsin fleet init` writes: a config for each server, keys of the roles, and what nodes are told."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from tocsin.cli.fleet_roles import SYSTEM_ACCOUNT, Account, accounts
from tocsin.errors import TocsinError
from tocsin.journal.jetstream.permissions import Permissions
from tocsin.loopback import is_loopback
from tocsin.org.fleet.declared import REPLICAS
from tocsin.org.fleet.roles import inbox_of
from tocsin.org.fleet.secret import FleetSecret

NODE, ADMIN, AUDITOR, SYSTEM = "fleet.toml", "admin.toml", "auditor.toml", "system.toml"
RELAY_ADMIN = "relay-admin.toml"
RELAY, DETECTOR = "relay-journal.toml", "detector-journal.toml"
"""The table `[journal]` of the configuration of a relay worker, and of a program that hands signals over."""
_ROUTES_ABOVE, _HIGHEST_PORT = 2000, 65535
_ROUTE_USER = "server"
_SERVER = """\
# Server {name} of a Tocsin fleet. Start it in this folder: nats-server -c server.conf
server_name: {name}
listen: "{listen}:{port}"
max_payload: 2MB
{tls}
jetstream {{
  # Of its own name: servers that are started elsewhere by mistake, several in one folder, share no files.
  store_dir: "store-{name}"
  # What is acknowledged is on the disk. The default is to sync every two minutes.
  sync_interval: always
}}
cluster {{
  name: tocsin
  listen: "{listen}:{route_port}"
  # Whoever is let in here may do everything, whatever the accounts below say.
  authorization: {{ user: "{route_user}", password: "{route_password}" }}
  routes: [{routes}]
{route_tls}
}}
accounts {{
{accounts}
}}
system_account: {system}
"""
_ACCOUNT = """\
  {name} {{
{parts}
  }}"""
_MANY_ANSWERS = "$JS.API.DIRECT.GET."
_TLS = 'tls {{ cert_file: "server.pem", key_file: "server-key.pem"{more} }}'
_SETTINGS = """\
# {what}
[journal]
servers = [{servers}]
nkey_file = "keys/{role}.nk"
inbox_prefix = "{inbox}"
"""


class NotInitialised(TocsinError):
    """The files of a fleet cannot be written. Nothing that was there was changed."""


def write_files(folder: Path, urls: Sequence[str]) -> list[Path]:
    """
    Make `folder` and all in it. Secrets are for their owner alone.

    Args:
        urls: of the servers, each with scheme and port.
    Returns: the folders of the servers.
    Raises: NotInitialised, also for servers that are too few, or could not all listen.
    """
    if len(set(urls)) < REPLICAS:
        raise NotInitialised(
            f"{len(set(urls))} servers are too few: what is acknowledged has to be on two when one is lost",
            hint="name three, or five: --servers tls://a,b,c",
        )
    _check_ports([urlsplit(url) for url in urls])
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))  # made with mode 0700
        try:
            names = _fill(unfinished, urls)
            unfinished.rename(folder)  # whole, or not there at all
        except BaseException:
            shutil.rmtree(unfinished)
            raise
    except OSError as error:
        text = f"{folder} cannot be made: {error.strerror}"
        raise NotInitialised(text, hint="name a new folder, where one can be made") from None
    return [folder / name for name in names]


def _check_ports(hosts: Sequence[SplitResult]) -> None:
    """Raises NotInitialised, where two servers of one machine would listen at one port, or at none there is."""
    taken = set[tuple[str, int]]()
    for host in hosts:
        for port in (host.port or 0, _route_port(host)):
            if (_host(host), port) in taken or port > _HIGHEST_PORT:
                why = (
                    "is beyond the last there is" if port > _HIGHEST_PORT else f"would be two servers' of {_host(host)}"
                )
                raise NotInitialised(
                    f"port {port} {why}: each takes its own, and the one {_ROUTES_ABOVE} above for the other servers",
                    hint="choose other ports, such as 4222,4223,4224 on one machine",
                )
            taken.add((_host(host), port))


def _fill(folder: Path, urls: Sequence[str]) -> list[str]:
    """Returns: the names of the folders of the servers."""
    plain = not urls[0].startswith("tls://")
    (folder / "keys").mkdir(mode=0o700)
    _write(folder / "fleet.secret", FleetSecret.new_text())
    written = _accounts(accounts(), folder / "keys")
    hosts = [urlsplit(url) for url in urls]
    password = secrets.token_hex(32)
    routes = ", ".join(f'"nats-route://{_ROUTE_USER}:{password}@{_host(host)}:{_route_port(host)}"' for host in hosts)
    names = []
    for number, host in enumerate(hosts, 1):
        names.append(f"n{number}")
        (folder / names[-1]).mkdir(mode=0o700)
        text = _SERVER.format(
            name=names[-1],
            listen=_host(host) if is_loopback(host.hostname or "") else "0.0.0.0",  # noqa: S104 - of a server
            port=host.port,
            route_port=_route_port(host),
            route_user=_ROUTE_USER,
            route_password=password,
            routes=routes,
            tls="" if plain else _TLS.format(more=""),
            route_tls="" if plain else "  " + _TLS.format(more=', ca_file: "ca.pem", verify: true'),
            accounts=written,
            system=SYSTEM_ACCOUNT,
        )
        _write(folder / names[-1] / "server.conf", text)
    servers = ", ".join(f'"{url}"' for url in urls)
    for name, role, what, more in _told(plain):
        text = _SETTINGS.format(what=what, servers=servers, role=role, inbox=inbox_of(role))
        _write(folder / name, text + more)
    return names


def _host(host: SplitResult) -> str:
    return f"[{host.hostname}]" if ":" in (host.hostname or "") else str(host.hostname)


def _route_port(host: SplitResult) -> int:
    return (host.port or 0) + _ROUTES_ABOVE


def _told(plain: bool) -> Iterator[tuple[str, str, str, str]]:
    """Name of the file, role, what it is for, and what it has besides."""
    trusted = "" if plain else 'ca_file = "ca.pem"\n'
    secret = trusted + 'secret_file = "fleet.secret"\n'
    here = "Its paths begin in the folder of this file."
    yield NODE, "org", f"For nodes: tocsin serve --config {NODE}. {here}", secret
    yield ADMIN, "admin", f"For tocsin fleet. {here}", secret
    yield RELAY_ADMIN, "relay-admin", f"For tocsin fleet, of what relay workers share. {here}", trusted
    yield AUDITOR, "auditor", f"For tocsin fleet check --deep. {here}", trusted
    yield SYSTEM, "system", f"For tocsin fleet check. {here}", trusted
    files = "keys/{}.nk" if plain else "keys/{}.nk and ca.pem"
    beside = "Its paths begin where the file lies that it is copied into: copy {} there too."
    relay = f"For the relay.toml of a worker. {beside.format(files.format('relay'))}"
    yield RELAY, "relay", relay, trusted
    detector = (
        f"How a program of yours reaches the fleet to hand signals over. {beside.format(files.format('detector'))}"
    )
    yield DETECTOR, "detector", detector, trusted


def _accounts(all_of_them: Mapping[str, Account], keys: Path) -> str:
    exports: dict[str, list[str]] = {name: [] for name in all_of_them}
    for account in all_of_them.values():
        for host, subjects in account.imports.items():
            exports[host] += [_export(subject) for subject in subjects]
    return "\n".join(_account(name, account, exports[name], keys) for name, account in all_of_them.items())


def _account(name: str, account: Account, exports: Sequence[str], keys: Path) -> str:
    imports = [_import(host, subject) for host, subjects in account.imports.items() for subject in subjects]
    users = [_user(_key(keys / f"{role}.nk"), may) for role, may in account.roles.items()]
    parts = ["    jetstream: enabled"] if account.has_streams else []
    for what, lines in (("exports", exports), ("imports", imports), ("users", users)):
        if lines:
            parts.append("\n".join((f"    {what}: [", *(f"      {{ {line} }}" for line in lines), "    ]")))
    return _ACCOUNT.format(name=name, parts="\n".join(parts))


def _export(subject: str) -> str:
    more = ', response_type: "Stream", allow_trace: true' if subject.startswith(_MANY_ANSWERS) else ""
    return f'service: "{subject}"{more}'


def _import(host: str, subject: str) -> str:
    return f'service: {{ account: {host}, subject: "{subject}" }}'


def _user(public_key: str, allowed: Permissions) -> str:
    publish, subscribe = (", ".join(f'"{one}"' for one in each) for each in (allowed.publish, allowed.subscribe))
    permissions = f"publish: {{ allow: [{publish}] }}, subscribe: {{ allow: [{subscribe}] }}"
    return f"nkey: {public_key}, permissions: {{ {permissions} }}"


def _key(path: Path) -> str:
    """Make a user's key, its seed in the file at `path`. Returns: the public one."""
    import nkeys

    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    _write(path, seed.decode() + "\n")
    return str(nkeys.from_seed(bytearray(seed)).public_key.decode())


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
