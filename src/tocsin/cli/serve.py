"""`tocsin serve`: the org."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import replace

from tocsin.cli.config import load_config
from tocsin.cli.logs import configure_logging
from tocsin.cli.options import DEFAULT_DATA, DataOption
from tocsin.cli.role_files import ORG, check_role
from tocsin.loopback import is_loopback
from tocsin.okta.settings import checked_host
from tocsin.signals.limits import REQUESTS_PER_WINDOW

if TYPE_CHECKING:  # imported by the functions that need it
    from tocsin.org.config import OrgConfig
    from tocsin.org.fleet.config import ServedConfig

DEFAULT_PORT = 8420


def serve_command(
    data: DataOption = DEFAULT_DATA,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = DEFAULT_PORT,
    url: Annotated[
        str | None, typer.Option(help="Where clients reach the org, when that is not HOST:PORT.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings in TOML form.", show_default=False)
    ] = None,
    requests_per_minute: Annotated[
        int | None,
        typer.Option(min=1, help="Requests of risk events taken in 60 s.", show_default=str(REQUESTS_PER_WINDOW)),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(metavar="nats://A,B,C", help="Be a node of the fleet of these servers.", show_default=False),
    ] = None,
    org: Annotated[
        list[str] | None,
        typer.Option("--org", metavar="NAME", help="Of a fleet: serve this org, not all.", show_default=False),
    ] = None,
) -> None:
    """Run the org until it is stopped. DATA is made on first use."""
    configure_logging()
    if config:
        check_role(config, ORG, hint="a node is given fleet.toml")
    told = load_config(config, _served_config()) if config else _served_config()()
    settings = _of_org(told, requests_per_minute)
    if journal is None and told.journal is None:
        if org:
            raise typer.BadParameter("only a node of a fleet serves several; name its servers", param_hint="--org")
        asyncio.run(_run(data, host, port, checked_host(url) if url else None, settings))
        return
    if url:
        raise typer.BadParameter("each org of a fleet has the URL that it was added with", param_hint="--url")
    from tocsin.cli.serve_node import node_settings, run_node

    asyncio.run(run_node(data, host, port, node_settings(config, told.journal, journal, org or []), settings))


def _served_config() -> "type[ServedConfig]":
    from tocsin.org.fleet.config import ServedConfig

    return ServedConfig


def _of_org(told: "ServedConfig", requests_per_minute: int | None) -> "OrgConfig":
    from tocsin.org.config import OrgConfig

    config = OrgConfig(**{name: getattr(told, name) for name in OrgConfig.__struct_fields__})
    if requests_per_minute is None:
        return config
    return replace(config, limits=replace(config.limits, risk_events=requests_per_minute))


async def _run(data: Path, host: str, port: int, url: str | None, config: "OrgConfig") -> None:
    # Here, not above: a web server is most of what starting any command would cost.
    from tocsin.org.folder import DataFolder
    from tocsin.org.http.front import Front
    from tocsin.org.http.server import listen, serve
    from tocsin.org.opening import open_org
    from tocsin.org.rounds import in_background
    from tocsin.org.running import at_work
    from tocsin.org.worker import Worker

    folder = DataFolder.open(data)
    with folder.serving(), listen(host, port) as listening:
        here = url_of(host, listening.getsockname()[1])
        base_url = url or here
        warn_if_open(host)
        worker = Worker(worker_command(data))
        async with open_org(folder, config) as org, at_work(org, worker.upkeep), in_background(worker.run()):
            front = Front(org, base_url=base_url)
            await serve(
                front,
                listening,
                settings=config.http,
                on_ready=lambda: _say_ready(here, url, data),
                on_stop=front.stop,
            )


def worker_command(data: Path) -> list[str]:
    """What starts `tocsin.cli.worker`."""
    return [sys.executable, "-m", "tocsin.cli.worker", str(data)]


def _say_ready(here: str, url: str | None, data: Path) -> None:
    known_as = f", known as {url}" if url else ""
    typer.echo(f"Tocsin org ready at {here} (data in {data}{known_as})")
    sys.stdout.flush()


def url_of(host: str, port: int) -> str:
    """Where who listens on `host` and `port` is reached."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def warn_if_open(host: str) -> None:
    """Say in the log that tokens travel in the clear, where that can be."""
    import structlog

    if not is_loopback(host):
        remedy = "put TLS in front of it, or listen on 127.0.0.1: tokens travel in the clear"
        structlog.get_logger("tocsin.cli").warning("listening.beyond_this_machine", host=host, remedy=remedy)
