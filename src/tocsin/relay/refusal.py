"""What was refused and is in quarantine, encoded as JSON. Pure."""

from enum import StrEnum
from hashlib import blake2b

import msgspec
from msgspec import Struct


class Kind(StrEnum):
    """What is in quarantine."""

    SUBJECT = "subject"
    """A target refused it."""
    RECORD = "record"
    """A source's record could not be read."""


class Refusal(Struct, kw_only=True):
    """Something refused, kept with the reason until a person decides."""

    kind: Kind
    by: str
    """The target that would not take it, or the source it could not be read from."""
    reason: str
    why: str = ""
    """Of a record: the reason in one word (`SkipReason`)."""
    first_ms: int
    last_ms: int
    times: int = 1
    source: str = ""
    ip: str = ""
    level: str = ""
    message: str = ""
    line: int = 0
    """Which record of its input; 0 for a subject."""
    excerpt: str = ""
    dropped: bool = False
    """A person gave it up: it is listed no more, and not sent for as long as it is claimed."""

    @property
    def id(self) -> bytes:
        """The same refusal has the same one."""
        what = "\n".join([self.kind, self.by, self.source, self.ip, self.level, self.excerpt, self.reason[:80]])
        return blake2b(what.encode(), digest_size=5).digest()


def dump_refusal(refusal: Refusal) -> bytes:
    """As it is stored."""
    return msgspec.json.encode(refusal)


def load_refusal(stored: bytes) -> Refusal:
    """A stored refusal."""
    return msgspec.json.decode(stored, type=Refusal)
