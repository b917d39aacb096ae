"""How the commands that run for long tell what happens."""

import logging
import sys


def configure_logging(level: int = logging.WARNING) -> None:
    """What is at least of `level` goes to standard error, one line each."""
    # On each TLS connection that ends it warns of what its callee, the NATS client, returned: nobody can mend that.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    import structlog  # here, not above: it is slow to start

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,  # the org, of several
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
