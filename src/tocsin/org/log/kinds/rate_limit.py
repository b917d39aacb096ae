"""Violations of the rate limit in the System Log. Source: spec 2.6, and what others' detections read from it."""

from tocsin.org.log.draft import Draft, drafted
from tocsin.org.log.event import Outcome, Result, Severity, Target
from tocsin.org.records import RateLimitExceeded


def rate_limit_exceeded(record: RateLimitExceeded) -> Draft:
    """The first refusal of a principal's window; what the result is called is our choice (U)."""
    return drafted(
        record.deed,
        "system.org.rate_limit.violation",
        "Rate limit violation",
        Target(record.prefix, "URL Pattern", "unknown", record.prefix),
        outcome=Outcome(Result.RATE_LIMIT),
        severity=Severity.WARN,
        legacy_type="core.framework.ratelimit.violation",
        debug=lambda: _debug(record),
    )


def _debug(record: RateLimitExceeded) -> dict[str, str]:
    return {
        "rateLimitScopeType": "ORG",
        "rateLimitBucket": record.bucket,
        "rateLimitSecondsToReset": str(max(0, record.reset - record.deed.at_ms // 1000)),
        "threshold": str(record.limit),
        "timeSpan": "1",
        "timeUnit": "MINUTES",
        "userId": record.deed.author.id,
    }
