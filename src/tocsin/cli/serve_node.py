"""`tocsin serve --journal`: a node of a fleet."""

import sys
from pathlib import Path

import typer
from msgspec.structs import replace

from tocsin.cli.serve import url_of, warn_if_open, worker_command
from tocsin.journal.jetstream import server_urls
from tocsin.org.config import OrgConfig
from tocsin.org.fleet.fleet import open_fleet
from tocsin.org.fleet.folder import NodeFolder
from tocsin.org.fleet.node import Node
from tocsin.org.fleet.settings import NodeSettings
from tocsin.org.http.hosts import Hosts
from tocsin.org.http.server import listen, serve
from tocsin.org.org import in_background
from tocsin.org.worker import Worker


async def run_node(
    data: Path,
    host: str,
    port: int,
    told: NodeSettings | None,
    servers: str | None,
    orgs: list[str],
    config: OrgConfig,
) -> None:
    """
    Serve until it is told to stop.

    Args:
        told: what the configuration says of the fleet.
        servers: what --journal says, which counts more.
        orgs: the same of --org.
    """
    settings = told or NodeSettings()
    if servers is not None:
        settings = replace(settings, servers=server_urls(servers))
    if orgs:
        settings = replace(settings, orgs=tuple(orgs))
    folder = NodeFolder.open(data)
    with folder.serving(), listen(host, port) as listening:
        here = url_of(host, listening.getsockname()[1])
        warn_if_open(host)
        async with open_fleet(folder, settings) as fleet:
            folder.remember(settings)
            worker = Worker(worker_command(data))
            node = Node(fleet, worker, config, most_lag=settings.most_lag, only=settings.orgs)
            await node.check()
            await node.look()
            async with in_background(worker.run(), node.run()):
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
