"""What a node is told: how to reach its fleet, and which orgs it is for."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from tocsin.journal.jetstream.settings import JetStreamSettings

MOST_LATE_S = 30.0
_PATHS = ("ca_file", "cert_file", "key_file", "credentials_file", "nkey_file", "password_file", "secret_file")


class NodeSettings(JetStreamSettings, frozen=True, forbid_unknown_fields=True):
    """The table `[journal]`: the connection, and what a node has besides."""

    servers: tuple[str, ...] = ()
    """`tls://HOST:PORT`, or `nats://HOST:PORT` on loopback."""
    secret_file: str | None = None
    """The fleet's secret, 32 bytes: the signing keys of all its orgs are opened by it. The same on all nodes."""
    most_late_s: Annotated[float, Meta(ge=10, le=86_400)] = MOST_LATE_S
    """For how long the index may lack what is in the journal while decisions are answered; see docs/fleet.md."""
    orgs: tuple[str, ...] = ()
    """Names of those that are served; all that are registered when there are none."""


def placed(settings: NodeSettings, folder: Path) -> NodeSettings:
    """The same with whole paths: those that are not are meant to begin in `folder`, where the configuration lies."""
    told = {name: path for name in _PATHS if (path := getattr(settings, name)) is not None}
    return replace(settings, **{name: str((folder / path).absolute()) for name, path in told.items()})
