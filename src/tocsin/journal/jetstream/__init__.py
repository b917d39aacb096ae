"""Journals and key-value tables on a NATS JetStream cluster. Needs the extra `tocsin[nats]`, and says so."""

from tocsin.journal.jetstream.clock import FleetClock
from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.journal import JetStreamJournal
from tocsin.journal.jetstream.key_value import JetStreamKeyValue
from tocsin.journal.jetstream.settings import JetStreamSettings, server_urls

__all__ = [
    "FleetClock",
    "JetStreamConnection",
    "JetStreamJournal",
    "JetStreamKeyValue",
    "JetStreamSettings",
    "server_urls",
]
