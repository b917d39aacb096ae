"""A real org: `tocsin serve` in a process of its own, on a port of its own."""

from pathlib import Path
from typing import Any

import httpx2

from support.process import Server, tocsin

RISK_EVENTS = "/api/v1/risk/events/ip"
PROVIDERS = "/api/v1/risk/providers"


class OrgProcess(Server):
    """Starts when made, and is ready then. Killed at the end of `with`, if it was not stopped."""

    def __init__(self, data: Path, *arguments: str, port: int = 0, env: dict[str, str] | None = None) -> None:
        """`env` is added to the environment."""
        self.data = data
        serve = ("serve", "--data", str(data), "--port", str(port), *arguments)
        super().__init__(*serve, log=data.with_name(data.name + ".log"), ready="Tocsin org ready at ", env=env)
        self.url = self.said.split()[4]

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


def event(*subjects: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """One risk event of (ip, level) pairs."""
    return {"subjects": [{"ip": ip, "riskLevel": level} for ip, level in subjects], **fields}


def send(client: httpx2.Client, *events: dict[str, Any]) -> int:
    """Send risk events, which must be accepted. Returns: the seq of their journal entry."""
    answer = client.post(RISK_EVENTS, json=list(events))
    assert answer.status_code == 202, answer.text
    return int(answer.headers["x-tocsin-journal-seq"])
