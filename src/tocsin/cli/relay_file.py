"""The file that `tocsin relay`, `tocsin status` and `tocsin quarantine` are given. Paths in it start at its folder."""

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from tocsin.cli.config import load_config
from tocsin.relay import RelayConfig, TargetConfig
from tocsin.relay.config import Name
from tocsin.sources import SourceConfig


class RelayFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    state: Annotated[str, Meta(min_length=1)] = "relay-state"
    """The folder of the outbox; made on first use."""
    targets: Annotated[dict[Name, TargetConfig], Meta(min_length=1)]
    """The orgs to tell."""
    sources: Annotated[dict[Name, SourceConfig], Meta(min_length=1)]
    """Where signals come from."""
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    """Of this machine alone (127.0.0.1), for Prometheus; none when absent."""

    @property
    def relay(self) -> RelayConfig:
        """The part that is not about sources."""
        return RelayConfig(state=self.state, targets=self.targets)


def load_relay_file(path: Path) -> RelayFile:
    """Raises: ConfigError, which names file, key and what is expected."""
    file = load_config(path, RelayFile)
    os.chdir(path.absolute().parent)
    return file
