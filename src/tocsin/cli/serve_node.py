"""`tocsin serve --journal`: a node of a fleet."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import typer
from msgspec.structs import replace

from tocsin.cli.serve import url_of, warn_if_open, worker_command
from tocsin.cli.waiting import telling_of
from tocsin.journal.jetstream import server_urls
from tocsin.org.config import OrgConfig
from tocsin.org.fleet.fleet import open_fleet
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.node import Node
from tocsin.org.fleet.settings import NodeSettings, placed
from tocsin.org.http.hosts import Hosts
from tocsin.org.http.server import listen, serve
from tocsin.org.rounds import in_background
from tocsin.org.worker import Worker


def node_settings(config: Path | None, told: NodeSettings | None, servers: str | None, orgs: list[str]) -> NodeSettings:
    """
    How to reach the fleet.

    Args:
        config: the file that tells; None for none.
        told: what it says of the fleet.
        servers: what --journal says, which counts more.
        orgs: the same of --org.
    Raises: JournalError, for what is no list of servers.
    """
    settings = placed(told, config.parent) if told is not None and config is not None else NodeSettings()
    if servers is not None:
        settings = replace(settings, servers=server_urls(servers))
    return replace(settings, orgs=tuple(orgs)) if orgs else settings


async def run_node(data: Path, host: str, port: int, settings: NodeSettings, config: OrgConfig) -> None:
    """Serve until it is told to stop. Raises OrgError, JournalError."""
    folder = NodeFolder.open(data)
    warn_if_open(host)
    async with AsyncExitStack() as stack:
        stack.enter_context(folder.serving())
        with telling_of(settings):
            fleet = await stack.enter_async_context(open_fleet(folder, settings))
        folder.remember(settings)
        worker = Worker(worker_command(data))
        node = Node(fleet, worker, config, most_late_s=settings.most_late_s, only=settings.orgs)
        await node.check()
        # Not before: while it finds no quorum, a balancer's connections would wait in it, and be cut off at its end.
        listening = stack.enter_context(listen(host, port))
        here = url_of(host, listening.getsockname()[1])
        await node.look()
        await stack.enter_async_context(in_background(worker.run(), node.run()))
        await serve(
            Hosts(node, clock=fleet.clock),
            listening,
            settings=config.http,
            on_ready=lambda: _say_ready(here, data, node),
            on_stop=node.stop,
        )


def _say_ready(here: str, data: Path, node: Node) -> None:
    names = ", ".join(sorted(node.orgs())) or "none yet"
    typer.echo(f"Tocsin org ready at {here} (a node of a fleet, data in {data}; orgs: {names})")
    sys.stdout.flush()
