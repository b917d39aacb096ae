"""An org's data folder with something in it, made in this process, and what it answers."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from tocsin.org.folder import DataFolder
from tocsin.org.http.views import ip_view
from tocsin.org.opening import open_org
from tocsin.org.records import local_deed
from tocsin.org.running import at_work
from tocsin.signals import RiskEvent, RiskEventSubject, RiskLevel, ip_key


async def fill(data: Path, ips: Iterable[str], *, message: str = "why") -> int:
    """Take in one event for each of `ips`. Returns: the seq of the last entry."""
    seq = 0
    async with open_org(DataFolder.open(data)) as org, at_work(org):
        provider = org.providers.default()
        assert provider is not None
        for ip in ips:
            event = RiskEvent([RiskEventSubject(ip, RiskLevel.HIGH, message)])
            seq = await org.accept([event], provider, deed=local_deed(int(time.time() * 1000)))
        await org.projector.catch_up()
    return seq


async def known(data: Path, ips: Iterable[str]) -> list[Any]:
    """What the org of a folder says about `ips`, wherever in the journal it is."""
    async with open_org(DataFolder.open(data, create=False)) as org:
        keys = [ip_key(ip) for ip in ips]
        views = [msgspec.to_builtins(ip_view(key, await org.look_up(key))) for key in keys]
    for view in views:
        del view["cursor"]
    return views
