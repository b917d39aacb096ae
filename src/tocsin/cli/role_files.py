"""Whose file of a fleet a configuration is, told by where its role hears answers: a wrong one is told by what it is."""

from pathlib import Path

from msgspec import Struct

from tocsin.cli.config import ConfigError, load_config

ORG, RELAY, DETECTOR = "org", "relay", "detector"
WHOSE = {
    ORG: "a node (`tocsin serve`)",
    "admin": "`tocsin fleet`",
    "relay-admin": "`tocsin fleet`",
    "auditor": "`tocsin fleet check --deep`",
    "system": "`tocsin fleet check`",
    RELAY: "a relay worker",
    DETECTOR: "a program that hands signals over (`tocsin relay put`)",
}
"""By role: who is told how to reach the fleet by its file."""


class _Journal(Struct, frozen=True):
    inbox_prefix: str = ""


class _File(Struct, frozen=True):
    journal: _Journal = _Journal()


def check_role(path: Path, *roles: str, hint: str) -> None:
    """Raises ConfigError, with `hint`, where `path` is the file of another role; or cannot be read."""
    prefix = load_config(path, _File).journal.inbox_prefix
    if not prefix:
        return
    from tocsin.org.fleet.roles import inbox_of  # slow to start, and of a fleet alone

    for role, whose in WHOSE.items():
        if role not in roles and prefix == inbox_of(role):
            raise ConfigError(f"{path} is the file of {whose}, not for this", hint=hint)
