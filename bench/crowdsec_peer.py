"""The peer: CrowdSec's Local API on SQLite with WAL, from Debian's package, in a folder of its own on loopback.

Found on PATH, or unpacked under .tools without installing a service:

    apt-get download crowdsec && dpkg -x crowdsec_*.deb .tools/crowdsec
"""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

UNPACKED = Path(__file__).resolve().parents[1] / ".tools" / "crowdsec"
MISSING = "the peer is not installed (Debian's package crowdsec): ours alone"
_ALERTS, _DECISIONS = 20, 50
_READY_WITHIN_S = 30.0
_CONFIG = """
common: {{daemonize: false, log_media: stdout, log_level: warning, log_dir: {here}, working_dir: {here}}}
config_paths:
  config_dir: {here}/etc/
  data_dir: {here}/data/
  simulation_path: {here}/etc/simulation.yaml
  hub_dir: {here}/hub/
  index_path: {here}/hub/.index.json
  notification_dir: {here}/etc/notifications/
  plugin_dir: {here}/plugins/
cscli: {{output: raw}}
# Without a flush section: by default it deletes all but the newest 5000 alerts during the run.
db_config: {{log_level: warning, type: sqlite, db_path: {here}/data/crowdsec.db, use_wal: true, max_open_conns: 100}}
api:
  client: {{insecure_skip_verify: false, credentials_path: {here}/etc/credentials.yaml}}
  server:
    log_level: warning
    listen_uri: 127.0.0.1:{port}
    profiles_path: {here}/etc/profiles.yaml
    console_path: {here}/etc/console.yaml
    trusted_ips: [127.0.0.1]
prometheus: {{enabled: false}}
"""
_PROFILES = """
name: default
filters: ["Alert.GetScope() == 'Ip'"]
decisions: [{type: ban, duration: 4h}]
on_success: break
"""


class Peer(NamedTuple):
    """A running Local API."""

    url: str
    bouncer_key: str
    machine: str
    password: str

    def take_in(self, addresses: Sequence[str]) -> float:
        """
        Have it hold a ban of each, 20 alerts of 50 decisions a request. Returns: decisions a second.

        Over one connection, which is its best: several at a time are answered "database is locked".
        """
        token = json.loads(self._post("/v1/watchers/login", self._login(), {}))["token"]
        size = _ALERTS * _DECISIONS
        bodies = [_alerts(addresses[at : at + size]) for at in range(0, len(addresses), size)]
        connection = self._connection()
        started = time.monotonic()
        for body in bodies:
            self._post("/v1/alerts", body, {"Authorization": f"Bearer {token}"}, connection)
        took_s = time.monotonic() - started
        connection.close()
        return len(addresses) / took_s

    def _login(self) -> bytes:
        return json.dumps({"machine_id": self.machine, "password": self.password, "scenarios": []}).encode()

    def _post(
        self, path: str, body: bytes, headers: dict[str, str], connection: http.client.HTTPConnection | None = None
    ) -> bytes:
        connection = connection or self._connection()
        own = {"Content-Type": "application/json", "User-Agent": "bench/1.0"}
        connection.request("POST", path, body, own | headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status in (200, 201), (answer.status, content[:200])
        return content

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=600)


def installed() -> bool:
    """Whether the peer can be measured here."""
    return _tool("crowdsec") is not None and _tool("cscli") is not None


@contextmanager
def running(*, port: int = 18_480) -> Iterator[Peer]:
    """The peer on a new database, until the block ends."""
    crowdsec, cscli = _tool("crowdsec"), _tool("cscli")
    assert crowdsec is not None
    assert cscli is not None
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        config = _set_up(here, port)
        machine, password = "bench", secrets.token_urlsafe(16)

        def ask(*arguments: str) -> str:
            command = [cscli, "-c", str(config), "-o", "raw", *arguments]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

        ask("machines", "add", machine, "--password", password, "-f", str(here / "etc" / "credentials.yaml"))
        key = ask("bouncers", "add", "bench").splitlines()[-1].strip()
        with (here / "log").open("wb") as log:
            process = subprocess.Popen([crowdsec, "-c", str(config), "-no-cs", "-no-capi"], stdout=log, stderr=log)
            try:
                peer = Peer(f"http://127.0.0.1:{port}", key, machine, password)
                _wait_for(peer)
                yield peer
            finally:
                process.terminate()
                process.wait(20)


def _set_up(here: Path, port: int) -> Path:
    for name in ("etc/notifications", "data", "hub", "plugins"):
        (here / name).mkdir(parents=True)
    (here / "hub" / ".index.json").write_text("{}")
    (here / "etc" / "simulation.yaml").write_text("simulation: false\n")
    (here / "etc" / "console.yaml").write_text("")
    (here / "etc" / "profiles.yaml").write_text(_PROFILES)
    config = here / "etc" / "config.yaml"
    config.write_text(_CONFIG.format(here=here, port=port))
    return config


def _wait_for(peer: Peer) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection(urlsplit(peer.url).netloc, timeout=5)
            headers = {"X-Api-Key": peer.bouncer_key, "User-Agent": "bench/1.0"}
            connection.request("GET", "/v1/decisions?ip=192.0.2.1", headers=headers)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the peer did not start")


def _alerts(addresses: Sequence[str]) -> bytes:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    fixed = {
        "scenario": "bench/scan",
        "scenario_hash": "",
        "scenario_version": "",
        "message": "bench",
        "events_count": 1,
        "start_at": now,
        "stop_at": now,
        "capacity": 0,
        "leakspeed": "0",
        "simulated": False,
        "events": [],
    }
    ban = {"duration": "24h", "origin": "cscli", "scenario": "bench/scan", "scope": "Ip", "type": "ban"}
    groups = [addresses[at : at + _DECISIONS] for at in range(0, len(addresses), _DECISIONS)]
    alerts = [
        {
            **fixed,
            "source": {"scope": "Ip", "value": group[0], "ip": group[0]},
            "decisions": [{**ban, "value": ip} for ip in group],
        }
        for group in groups
    ]
    return json.dumps(alerts).encode()


def _tool(name: str) -> str | None:
    unpacked = UNPACKED / "usr" / "bin" / name
    return shutil.which(name) or (str(unpacked) if os.access(unpacked, os.X_OK) else None)
