"""Journals and key-value tables on a NATS JetStream cluster. Needs the extra `tocsin[nats]`, and says so."""

from tocsin.journal.jetstream.connection import JetStreamConnection
from tocsin.journal.jetstream.journal import JetStreamJournal
from tocsin.journal.jetstream.settings import JetStreamSettings, server_urls

__all__ = ["JetStreamConnection", "JetStreamJournal", "JetStreamSettings", "server_urls"]
