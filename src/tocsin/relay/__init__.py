"""Keeps a target's picture of risky IPs true: coalesced, most dangerous first, packed full, inside the budget."""

from tocsin.relay.books import SourceBook, TargetBook
from tocsin.relay.config import BudgetConfig, RelayConfig, TargetConfig
from tocsin.relay.credentials import Credential, ServiceApp, Token
from tocsin.relay.errors import RelayError, TargetPaused
from tocsin.relay.folder_lock import is_running, only_relay
from tocsin.relay.okta_target import OktaTarget, okta_target
from tocsin.relay.outbox import Backlog, Outbox
from tocsin.relay.plan import Request, Telling, pack, requests_needed
from tocsin.relay.reconcile import Rank
from tocsin.relay.refusal import Kind, Refusal
from tocsin.relay.relay import Guards, Relay, work_for
from tocsin.relay.ruling import Answer, Failure
from tocsin.relay.staging import Staging
from tocsin.relay.status import SourceStatus, Status, TargetStatus, open_outbox, status_of
from tocsin.relay.target import Target
from tocsin.relay.watcher import Sent, Tally, Waits, Watcher
from tocsin.relay.window import Allowance, Window

__all__ = [
    "Allowance",
    "Answer",
    "Backlog",
    "BudgetConfig",
    "Credential",
    "Failure",
    "Guards",
    "Kind",
    "OktaTarget",
    "Outbox",
    "Rank",
    "Refusal",
    "Relay",
    "RelayConfig",
    "RelayError",
    "Request",
    "Sent",
    "ServiceApp",
    "SourceBook",
    "SourceStatus",
    "Staging",
    "Status",
    "Tally",
    "Target",
    "TargetBook",
    "TargetConfig",
    "TargetPaused",
    "TargetStatus",
    "Telling",
    "Token",
    "Waits",
    "Watcher",
    "Window",
    "is_running",
    "okta_target",
    "only_relay",
    "open_outbox",
    "pack",
    "requests_needed",
    "status_of",
    "work_for",
]
