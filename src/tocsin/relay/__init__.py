"""Keeps a target's picture of risky IPs true: coalesced, most dangerous first, packed full, inside the budget."""

from tocsin.relay.errors import RelayError, TargetPaused
from tocsin.relay.okta_target import OktaTarget, okta_target
from tocsin.relay.plan import Request, coalesce, pack, pick, rank, requests_needed
from tocsin.relay.ruling import Answer, Failure
from tocsin.relay.sender import Refused, Sender, Tally, Watcher
from tocsin.relay.target import Target
from tocsin.relay.window import Told, Window

__all__ = [
    "Answer",
    "Failure",
    "OktaTarget",
    "Refused",
    "RelayError",
    "Request",
    "Sender",
    "Tally",
    "Target",
    "TargetPaused",
    "Told",
    "Watcher",
    "Window",
    "coalesce",
    "okta_target",
    "pack",
    "pick",
    "rank",
    "requests_needed",
]
