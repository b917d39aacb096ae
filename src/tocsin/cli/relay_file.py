"""The file that `tocsin relay`, `tocsin status` and `tocsin quarantine` are given. Paths in it start at its folder."""

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from tocsin.cli.config import load_config
from tocsin.cli.role_files import RELAY, check_role
from tocsin.journal.jetstream.settings import JetStreamSettings
from tocsin.relay import RelayConfig, TargetConfig
from tocsin.relay.config import Name
from tocsin.relay.fleet.config import FleetConfig
from tocsin.relay.fleet.names import handed_over
from tocsin.sources import SourceConfig


class RelayFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    state: Annotated[str, Meta(min_length=1)] = "relay-state"
    """The folder of the outbox; made on first use."""
    targets: Annotated[dict[Name, TargetConfig], Meta(min_length=1)]
    """The orgs to tell."""
    sources: dict[Name, SourceConfig] = {}
    """Where signals come from; a fleet may have none of its own, where others hand signals over to its stream."""
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    """Of this machine alone (127.0.0.1), for Prometheus; none when absent."""
    journal: JetStreamSettings | None = None
    """How to reach the fleet that this relay is a worker of; it is one of its own when absent."""
    fleet: FleetConfig | None = None
    """What all workers of the fleet are told alike."""

    def __post_init__(self) -> None:
        if self.journal is None:
            self._check_alone()
        for name, target in self.targets.items():
            self.of_fleet.check(name, target)

    @property
    def of_fleet(self) -> FleetConfig:
        """See `fleet`."""
        return self.fleet or FleetConfig()

    def _check_alone(self) -> None:
        if not self.sources:
            raise ValueError("sources: a relay needs one, such as [sources.list] with a path")
        if self.fleet is not None:
            raise ValueError("fleet: it needs [journal], which says how to reach the fleet")
        for name, target in self.targets.items():
            for source in target.sources or ():
                if source not in self.sources:
                    near = get_close_matches(source, self.sources, n=1, cutoff=0.5)
                    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(self.sources)}"
                    raise ValueError(f"targets.{name}.sources: there is no source {source}; {hint}")

    @property
    def relay(self) -> RelayConfig:
        """The part that is not about sources."""
        return RelayConfig(state=self.state, targets={name: self._told(one) for name, one in self.targets.items()})

    def _told(self, target: TargetConfig) -> TargetConfig:
        """With its `sources` as the outboxes call them: in a fleet what no worker reads is handed over."""
        if self.journal is None or target.sources is None:
            return target
        return replace(target, sources=[one if one in self.sources else handed_over(one) for one in target.sources])


def load_relay_file(path: Path) -> RelayFile:
    """Raises: ConfigError, which names file, key and what is expected."""
    check_role(path, RELAY, hint="name the relay.toml of a worker, which begins as relay-journal.toml")
    file = load_config(path, RelayFile)
    os.chdir(path.absolute().parent)
    return file
