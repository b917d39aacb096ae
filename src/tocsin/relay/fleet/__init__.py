"""Many relays that serve many targets together: who has what, and what a new owner must know."""

from tocsin.relay.fleet.assignment import owner_of, share_of
from tocsin.relay.fleet.config import FleetConfig
from tocsin.relay.fleet.detector import Detector
from tocsin.relay.fleet.feeding import SharedStream
from tocsin.relay.fleet.fenced import Holding
from tocsin.relay.fleet.lease import Timing
from tocsin.relay.fleet.serving import DESCRIPTORS_PER_TARGET, Serving, Stores, state_of
from tocsin.relay.fleet.worker import Worker

__all__ = [
    "DESCRIPTORS_PER_TARGET",
    "Detector",
    "FleetConfig",
    "Holding",
    "Serving",
    "SharedStream",
    "Stores",
    "Timing",
    "Worker",
    "owner_of",
    "share_of",
    "state_of",
]
