"""Records of the rate limit, which only the System Log shows."""

from msgspec import Struct

from tocsin.org.records.deed import Deed

RATE_LIMIT_TOPIC = "log.rate-limit"


class RateLimitExceeded(Struct, frozen=True, tag_field="t", tag="log.rate-limit"):
    """A principal's window refused its first request; the others that it refuses are told by this one too."""

    deed: Deed
    """Of the refused request."""
    bucket: str
    prefix: str
    """Of the paths that the bucket is for."""
    limit: int
    """Requests in a window."""
    reset: int
    """Epoch seconds when the window ends."""
