"""A real relay: `tocsin relay` in a process of its own."""

import time
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec

from support.org import OrgProcess
from support.process import Server, tocsin

SEEN_WITHIN_S = 30.0
_EVERY_S = 0.05
_FORMATS = {".txt": "ipsum", ".jsonl": "jsonl"}
_LISTS = {"HIGH": 9, "MEDIUM": 3, "LOW": 2}


def write_list(path: Path, levels: dict[str, str], *, at: datetime) -> Path:
    """An ipsum list of that date which says these levels, whole and at once."""
    beside = path.with_suffix(".new")
    lines = [f"{ip}\t{_LISTS[level]}\n" for ip, level in levels.items()]
    beside.write_text("".join([f"# Last update: {format_datetime(at)}\n", *lines]))
    return beside.replace(path)


def relay_toml(folder: Path, org: OrgProcess, lists: dict[str, Path], *, more: str = "", target: str = "") -> Path:
    """A configuration with one target, `acme`, and a file source of each list; `more` and `target` are TOML lines."""
    token = folder / "token"
    if not token.exists():
        token.write_text(org.token("relay"))
    sources = "\n".join(
        f'[sources.{name}]\npath = "{path}"\nevery_s = 1\nallow_non_global = true\nformat = "{_FORMATS[path.suffix]}"'
        for name, path in lists.items()
    )
    place = "" if "client_id" in target else 'token_file = "token"\n'
    acme = f'[targets.acme]\nurl = "{org.url}"\n{place}allow_non_global = true\n{target}'
    path = folder / "relay.toml"
    path.write_text(f'state = "state"\n{more}\n{acme}\n{sources}\n')
    return path


class RelayProcess(Server):
    """Starts when made, and is ready then. Killed at the end of `with`, if it was not stopped."""

    def __init__(self, config: Path) -> None:
        self.config = config
        super().__init__(
            "relay", "--config", str(config), log=config.with_name("relay.log"), ready="Tocsin relay ready"
        )

    def status(self) -> dict[str, Any]:
        """What `tocsin status --json` says."""
        return status(self.config)

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status for which `holds`."""
        deadline = time.monotonic() + SEEN_WITHIN_S
        while True:
            now = self.status()
            if holds(now):
                return now
            assert time.monotonic() < deadline, f"{now}\n{self.log.read_text()}"
            time.sleep(_EVERY_S)


def status(config: Path) -> dict[str, Any]:
    """What `tocsin status --json` says."""
    told = tocsin("status", "--config", str(config), "--json")
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = msgspec.json.decode(told.stdout)
    return found


def all_delivered(status: dict[str, Any]) -> bool:
    """Whether something was delivered, and nothing waits."""
    return all(
        target["delivered"] and not any(level["count"] for level in target["backlog"].values())
        for target in status["targets"]
    )
