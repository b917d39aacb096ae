"""Real NATS servers on loopback, from the `nats-server` that the dev extra installs: one alone, or a cluster.

Each server has a folder with its config, its log and its store, and keeps its ports when it is started again.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self, TypeVar
from urllib.error import URLError
from urllib.request import urlopen

BINARY = str(Path(sys.executable).with_name("nats-server"))
SOON_S = 30.0
_LOOK_AGAIN_S = 0.02
_Found = TypeVar("_Found")

_CONFIG = """
server_name: {name}
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 2MB
{jetstream}
{cluster}
{more}
"""
_JETSTREAM = """
jetstream {{
  store_dir: "{folder}"
  sync_interval: always
}}
"""
_CLUSTER = """
cluster {{
  name: fleet
  listen: "127.0.0.1:{route_port}"
  no_advertise: true
  advertise: "127.0.0.1:1" # servers that meet tell the others: these shall keep to the routes, which a test may cut
  routes: [{routes}]
}}
"""


class NatsNode:
    """One server. `start` may be called again after `stop` or `kill`."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder
        self._held = ExitStack()
        self.port, self.monitor_port, self.route_port = (self._held.enter_context(held_port()) for _ in range(3))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def configure(self, routes: Sequence[str], *, jetstream: bool, more: str) -> None:
        """Write the config; for `start`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f'"{route}"' for route in routes)
        config = _CONFIG.format(
            name=self.name,
            port=self.port,
            monitor_port=self.monitor_port,
            jetstream=_JETSTREAM.format(folder=self.store) if jetstream else "",
            cluster=_CLUSTER.format(route_port=self.route_port, routes=listed) if routes else "",
            more=more,
        )
        (self.folder / "server.conf").write_text(config)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [BINARY, "-c", str(self.folder / "server.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Let it read its config again."""
        self._send(signal.SIGHUP)

    def pause(self) -> None:
        """As a machine that hangs: its connections stay, and nothing answers."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        self._send(signal.SIGCONT)

    def empty(self) -> None:
        """Lose all it has stored; only while it is down."""
        assert self.process is None
        shutil.rmtree(self.store, ignore_errors=True)

    def close(self) -> None:
        if self.process is not None:
            self.kill()
        self._held.close()

    def ask(self, path: str) -> Any:
        """What its monitoring door says under `path`, or None when it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self.monitor_port}/{path}", timeout=1) as answer:
                return json.load(answer)
        except (URLError, OSError, ValueError):
            return None

    def is_well(self) -> bool:
        """It answers, and all its streams have caught up."""
        health = self.ask("healthz")
        return health is not None and health.get("status") == "ok"

    def stream(self, name: str) -> Any:
        """What this server knows of a stream, as `/jsz` gives it; None where it holds none of that name."""
        found = self.ask("jsz?streams=true&config=true&leader-only=false") or {}
        streams = [s for account in found.get("account_details", []) for s in account.get("stream_detail", [])]
        return next((s for s in streams if s["name"] == name), None)

    def _end(self, how: signal.Signals) -> None:
        self._send(how)
        assert self.process is not None
        if how is signal.SIGTERM:
            self.process.send_signal(signal.SIGCONT)  # a paused one must run to hear it
        self.process.wait(SOON_S)
        self.process = None

    def _send(self, how: signal.Signals) -> None:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended by itself: {self.log[-2000:]}"
        self.process.send_signal(how)


Reach = Callable[[NatsNode, NatsNode], int]


class NatsCluster:
    """Several servers that know each other, or one alone. A context manager; ends what it started."""

    def __init__(
        self, folder: Path, *, size: int = 3, jetstream: bool = True, more: str = "", reach: Reach | None = None
    ) -> None:
        """
        Args:
            more: is added to each config: accounts, TLS, limits.
            reach: at which port one server reaches another one, when that is not its own.
        """
        self.nodes = [NatsNode(f"n{number}", folder / f"n{number}") for number in range(1, size + 1)]
        self._jetstream = jetstream
        for node in self.nodes:
            others = [other for other in self.nodes if other is not node]
            routes = [f"nats://127.0.0.1:{reach(node, other) if reach else other.route_port}" for other in others]
            node.configure(routes, jetstream=jetstream, more=more)

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    @property
    def running(self) -> list[NatsNode]:
        return [node for node in self.nodes if node.process is not None]

    def node(self, name: str) -> NatsNode:
        return next(node for node in self.nodes if node.name == name)

    def leader(self, stream: str) -> NatsNode:
        """The node that leads `stream`, once all that run agree who that is."""

        def agreed() -> NatsNode | None:
            known = [found for node in self.running if (found := node.stream(stream))]
            leaders = {found.get("cluster", {}).get("leader") for found in known}
            if not known or len(leaders) != 1:
                return None
            (name,) = leaders
            return next((node for node in self.running if node.name == name), None) if name else self.running[0]

        return until(agreed, f"no leader of {stream}")

    def followers(self, stream: str) -> list[NatsNode]:
        leader = self.leader(stream)
        return [node for node in self.running if node is not leader]

    def wait_until_ready(self) -> None:
        """Until all that run answer, see each other, and agree on who leads JetStream."""
        until(self._is_ready, "the servers do not agree")

    def wait_until_well(self) -> None:
        """Until all that run have caught up with all they should hold."""
        until(lambda: all(node.is_well() for node in self.running), "the servers do not catch up")

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def _is_ready(self) -> bool:
        if not self._jetstream:
            return all(node.ask("varz") for node in self.running)
        if len(self.nodes) == 1:
            return self.nodes[0].is_well()
        leaders = set[str]()
        for node in self.running:
            meta = (node.ask("jsz") or {}).get("meta_cluster") or {}
            leaders.add(meta.get("leader") or "")
            if meta.get("cluster_size") != len(self.nodes):
                return False
            # The leader alone tells of the others; one that it takes for gone holds nothing that is made now.
            there = [one for one in meta.get("replicas") or () if one.get("current") and not one.get("offline")]
            if meta.get("leader") == node.name and len(there) < len(self.running) - 1:
                return False
        return len(leaders) == 1 and "" not in leaders and all(node.is_well() for node in self.running)


def until(look: Callable[[], _Found | None], or_say: str, at_most_s: float = SOON_S) -> _Found:
    """What `look` finds, once it finds something."""
    end = monotonic() + at_most_s
    while not (found := look()):
        assert monotonic() < end, f"after {at_most_s:.0f} s: {or_say}"
        sleep(_LOOK_AGAIN_S)
    return found


@contextmanager
def held_port() -> Iterator[int]:
    """A port of loopback that nobody else is given: bound here, which a server that sets SO_REUSEADDR may share."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
