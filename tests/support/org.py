"""A real org: `tocsin serve` in a process of its own, on a port of its own."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 30.0
RISK_EVENTS = "/api/v1/risk/events/ip"
PROVIDERS = "/api/v1/risk/providers"


def tocsin(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one `tocsin` command to its end."""
    command = [*_command(), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=_env(env))


class OrgProcess:
    """Starts when made, and is ready then. Killed at the end of `with`, if it was not stopped."""

    def __init__(self, data: Path, *arguments: str, port: int = 0, env: dict[str, str] | None = None) -> None:
        """`env` is added to the environment."""
        self.data = data
        command = [*_command(), "serve", "--data", str(data), "--port", str(port), *arguments]
        self.log = data.with_name(data.name + ".log")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=_env(env))
        self.url = self._url()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def token(self, name: str = "test", *arguments: str) -> str:
        """A new token."""
        made = tocsin("token", "create", name, "--data", str(self.data), *arguments)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def client(self, token: str | None, *, host: str | None = None) -> httpx2.Client:
        """A client that shows `token`; of a node it asks the org of that `host`."""
        headers = {"authorization": f"SSWS {token}"} if token is not None else {}
        if host is not None:
            headers["host"] = host
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop. Returns: its exit code."""
        self._process.send_signal(number)
        return self._wait()

    def kill(self) -> None:
        """SIGKILL: no chance to write anything."""
        self._process.kill()
        self._wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def _url(self) -> str:
        out = self._process.stdout
        assert out is not None
        ready, _, _ = select.select([out], [], [], READY_WITHIN_S)
        line = out.readline().decode() if ready else ""
        if not line.startswith("Tocsin org ready at "):
            self.kill()
            raise AssertionError(f"the org did not start: {line!r}\n{self.log.read_text()}")
        return line.split()[4]

    def _wait(self) -> int:
        code = self._process.wait(STOPPED_WITHIN_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


def event(*subjects: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """One risk event of (ip, level) pairs."""
    return {"subjects": [{"ip": ip, "riskLevel": level} for ip, level in subjects], **fields}


def send(client: httpx2.Client, *events: dict[str, Any]) -> int:
    """Send risk events, which must be accepted. Returns: the seq of their journal entry."""
    answer = client.post(RISK_EVENTS, json=list(events))
    assert answer.status_code == 202, answer.text
    return int(answer.headers["x-tocsin-journal-seq"])


def _command() -> list[str]:
    return [sys.executable, "-m", "tocsin"]


def _env(more: dict[str, str] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "OKTA_"))}
    return kept | (more or {})
