"""What a relay of a fleet is told beside what one alone is told."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from tocsin.relay.config import TargetConfig
from tocsin.relay.fleet.lease import Timing


class FleetConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same for all workers of a fleet."""

    lease_s: Annotated[float, Meta(ge=1, le=3600)] = 15.0
    """When a worker dies, another one goes on with what it had within this time."""
    signals_life_s: Annotated[int, Meta(ge=24 * 3600)] = 7 * 24 * 3600
    """
    How long the stream of signals remembers: nothing is claimed for longer, unless it is said again. A list that does
    not change is said again each 12 hours, so a day is the least.
    """
    told_life_s: Annotated[int, Meta(ge=60)] = 24 * 3600
    """How long it is remembered what an org was told: no telling lasts longer, and it is refreshed before it ends."""

    @property
    def timing(self) -> Timing:
        """What follows from the lease."""
        return Timing(self.lease_s)

    @property
    def signals_life(self) -> timedelta:
        """See `signals_life_s`."""
        return timedelta(seconds=self.signals_life_s)

    @property
    def told_life(self) -> timedelta:
        """See `told_life_s`."""
        return timedelta(seconds=self.told_life_s)

    def check(self, name: str, target: TargetConfig) -> None:
        """Raises: ValueError, when a target is to be told for longer than a fleet remembers."""
        if target.longest_life_s is not None and target.longest_life_s > self.told_life_s:
            raise ValueError(
                f"targets.{name}.longest_life_s: {target.longest_life_s} is more than fleet.told_life_s, "
                f"which is {self.told_life_s}: the fleet would forget what it told while the org still holds it"
            )
