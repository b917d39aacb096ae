"""The orgs of a fleet, as they are registered in a bucket that all nodes look at."""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tocsin.journal import JournalConflict, Kept, KeyValue
from tocsin.org.errors import OrgError
from tocsin.org.fleet.secret import FleetSecret

_NAME = re.compile(r"[a-z0-9-]{1,63}")
_BRANCH, _HOST = "org", "host"
_FLEET = "fleet"


class RegisteredOrg(Struct, frozen=True):
    """One org."""

    url: str
    """Where clients reach it; its host says whose a request is."""
    created_ms: int

    @property
    def host(self) -> str:
        """In lower case, without a port or a dot at its end."""
        return (urlsplit(self.url).hostname or "").rstrip(".")


class Table(NamedTuple):
    """All orgs, by name."""

    orgs: dict[str, RegisteredOrg]
    not_understood: dict[str, OrgError]
    """Those that another version registered, and what has no name of an org: why."""


class _Fleet(Struct, frozen=True):
    """What is said once for all."""

    fingerprint: str


class Registered:
    """The table. All methods raise JournalError."""

    def __init__(self, table: KeyValue) -> None:
        self._table = table

    async def found(self, secret: FleetSecret) -> None:
        """Note whose secret opens the keys, unless that stands there. Raises OrgError when it is another one's."""
        try:
            await self._table.put(_FLEET, msgspec.json.encode(_Fleet(secret.fingerprint)), revision=0)
        except JournalConflict:
            await self.check(secret)

    async def check(self, secret: FleetSecret) -> None:
        """Raises OrgError, when the fleet has another secret, or none yet."""
        kept = await self._table.get(_FLEET)
        if kept is None:
            raise OrgError("the fleet has not been set up", hint="run `tocsin fleet init` again, now that servers run")
        if msgspec.json.decode(kept.value, type=_Fleet).fingerprint != secret.fingerprint:
            raise OrgError(
                "the fleet has another secret than secret_file holds: its keys could not be opened",
                hint="copy the secret from another node of this fleet",
            )

    async def all(self) -> Table:
        """Those that are understood, and the others: one of these holds up nobody."""
        table = Table({}, {})
        for key, kept in sorted((await self._table.all(f"{_BRANCH}.")).items()):
            name = key.removeprefix(f"{_BRANCH}.")
            try:
                table.orgs[name] = _understood(name, kept)
            except OrgError as error:
                table.not_understood[name] = error
        return table

    async def get(self, name: str) -> RegisteredOrg:
        """The one of that name. Raises OrgError when there is none."""
        return _understood(name, await self._kept(name))

    async def add(self, name: str, url: str, *, at_ms: int) -> None:
        """
        Register one.

        Args:
            url: scheme and host, perhaps a port; without a slash at its end.
        Raises: OrgError, when it is no name, no request names the host of `url` so, or one of the two is another's.
        """
        added = RegisteredOrg(url, at_ms)
        if not added.host.isascii():
            text = f"no request names the host {added.host} so"
            raise OrgError(text, hint="write it in ASCII, as clients send it: xn--...")
        for other, known in (await self.all()).orgs.items():
            if other != name and known.host == added.host:
                raise _taken(known.host, other)
        try:
            await self._table.put(_key(name), msgspec.json.encode(added), revision=0)
        except JournalConflict:
            raise OrgError(f"there is an org {name} already", hint="choose another name") from None
        try:
            await self._claim(added.host, name)
        except OrgError:
            await self._table.delete(_key(name))
            raise

    async def remove(self, name: str) -> None:
        """Forget one, also one that is not understood: it is served no longer. Raises OrgError when there is none."""
        await self._kept(name)
        await self._table.delete(_key(name))  # its host is free from now on, whoever is noted as its last owner

    async def _kept(self, name: str) -> Kept:
        kept = await self._table.get(_key(name))
        if kept is None:
            raise OrgError(f"the fleet has no org {name}", hint="`tocsin fleet org list` shows which there are")
        return kept

    async def _claim(self, host: str, name: str) -> None:
        """Be the one owner of `host`, also of several who are added at once. Raises OrgError, when another one is."""
        key = f"{_HOST}.{host.encode().hex()}"
        while True:
            kept = await self._table.get(key)
            owner = "" if kept is None else kept.value.decode()
            if owner != name and await self._is_at(owner, host):
                raise _taken(host, owner)
            try:
                await self._table.put(key, name.encode(), revision=0 if kept is None else kept.revision)
                return
            except JournalConflict:
                continue

    async def _is_at(self, name: str, host: str) -> bool:
        kept = await self._table.get(f"{_BRANCH}.{name}") if name else None
        return kept is not None and _understood(name, kept).host == host


def _understood(name: str, kept: Kept) -> RegisteredOrg:
    check_org_name(name)  # it becomes the name of a folder
    try:
        return msgspec.json.decode(kept.value, type=RegisteredOrg)
    except msgspec.MsgspecError as error:
        text = f"what is registered of the org {name} cannot be understood: {error}"
        raise OrgError(text, hint="a newer version wrote it: use that one; or remove and add the org again") from None


def _taken(host: str, owner: str) -> OrgError:
    return OrgError(f"{host} is where {owner} is reached", hint="give each org a host of its own")


def check_org_name(name: str) -> None:
    """Raises OrgError for what no org can be called."""
    if not _NAME.fullmatch(name):
        raise OrgError(f"{name[:80]!r} is no name of an org", hint="1 to 63 of a-z, 0-9 and -")


def _key(name: str) -> str:
    check_org_name(name)
    return f"{_BRANCH}.{name}"
