"""What a `[sources.NAME]` table of a configuration file may say. The types carry the limits; a typo stops the start."""

from typing import Annotated

from msgspec import Meta, Struct

from tocsin.signals import RiskLevel

Seconds = Annotated[float, Meta(ge=1, le=86_400)]
Text = Annotated[str, Meta(min_length=1)]
Life = Annotated[str, Meta(pattern=r"^[0-9]{1,4}(s|m|h|d)$")]
"""A span of time as people write it, such as `90m`, `24h` or `7d`."""


PLACES = ("path", "url", "crowdsec", "taxii", "listen", "nats", "kafka")
"""The keys that say where an input is."""


class SourceConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input: where it is, how to read it, and what to make of it. Exactly one place is named."""

    path: Text | None = None
    """A file, plain or compressed; a named pipe; `-` for standard input."""
    url: Text | None = None
    """A feed that is fetched again and again."""
    crowdsec: Text | None = None
    """Base URL of a CrowdSec Local API, whose stream of decisions is read."""
    taxii: Text | None = None
    """URL of a collection of a TAXII 2.1 server, such as `https://host/api/collections/ID/`."""
    listen: Annotated[str, Meta(pattern=r"^(\S+:)?[0-9]{1,5}$")] | None = None
    """`HOST:PORT` where others may POST records; without a host it is 127.0.0.1."""
    nats: Text | None = None
    """URL of a NATS server, such as `nats://127.0.0.1:4222`; needs the extra `tocsin[nats]`."""
    kafka: Text | None = None
    """Bootstrap servers, `host:9092,host:9092`; needs the extra `tocsin[kafka]`."""
    subject: Text | None = None
    """Of NATS: what to subscribe to."""
    topic: Text | None = None
    """Of Kafka."""
    key_file: str | None = None
    """A file that holds the API key, token or password alone; for `listen` the token that others must show."""
    key_env: str | None = None
    """Name of a variable of the environment that holds it."""
    user: Text | None = None
    """The key is the password of this user (HTTP Basic)."""
    ca_file: str | None = None
    """Of a private CA that signed the server's certificate, in PEM."""
    follow: bool | None = None
    """Whether the file grows and is read on from where it was; when absent, logs are and nothing else is."""
    format: str | None = None
    """Name of its format; found by content when absent."""
    mapping: str | None = None
    """A mapping file (TOML or YAML) for what is in no known format."""
    every_s: Seconds | None = None
    """How often to look for something new; by the kind of input when absent."""
    timezone: str = "UTC"
    """Of times that name no offset, such as `Europe/Berlin`."""
    own_networks: tuple[str, ...] = ()
    """Never signalled: our hosts and the addresses they are seen from outside (egress)."""
    trusted_proxies: tuple[str, ...] = ()
    """Ours too; where one of them is the peer, X-Forwarded-For tells the client."""
    allow_lists: tuple[str, ...] = ()
    """Files of addresses that are never signalled: a network a line, or MISP warning lists."""
    levels: dict[str, RiskLevel] = {}
    """The level for a value of the tool's own scale, in place of the format's table."""
    life: Life | None = None
    """How long a claim without an end of its own holds, in place of the format's choice."""
    max_expand: Annotated[int, Meta(ge=1, le=65_536)] = 256
    """The largest network to signal address by address; a larger one is skipped and counted."""
    ipv6_prefix: Annotated[int, Meta(ge=32, le=128)] = 64
    """Lines of logs are counted for all IPv6 addresses together that share so many bits; 128 for each alone."""
    allow_non_global: bool = False
    """True to pass addresses that are no host on the Internet."""

    def __post_init__(self) -> None:
        named = [place for place in PLACES if getattr(self, place) is not None]
        if len(named) != 1:
            raise ValueError(f"exactly one of {', '.join(PLACES)} is needed")
        if self.key_file is not None and self.key_env is not None:
            raise ValueError("the key is in one place: key_file or key_env")
        if (self.nats is None) != (self.subject is None) or (self.kafka is None) != (self.topic is None):
            raise ValueError("nats goes with a subject, and kafka with a topic")
