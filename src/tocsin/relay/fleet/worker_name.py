"""What a worker is called: by its machine, and the same after a restart, so that it takes up again what it had."""

import os
import socket
from pathlib import Path
from secrets import token_hex

from tocsin.relay.errors import RelayError

_FILE = "worker"


def worker_name(state: Path) -> str:
    """
    The name of the worker whose state folder this is, which is locked; made at the first start.

    Raises: RelayError, when it cannot be kept.
    """
    try:
        return (state / _FILE).read_text().strip() or _named(state)
    except FileNotFoundError:
        return _named(state)
    except OSError as error:
        raise _unusable(state, error) from None


def known_name(state: Path) -> str:
    """The same for who only asks; empty before the first start."""
    try:
        return (state / _FILE).read_text().strip()
    except OSError:
        return ""


def _named(state: Path) -> str:
    name = f"{socket.gethostname()[:60]}-{token_hex(4)}"
    beside = state / f"{_FILE}.new"
    try:
        with beside.open("w") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(state / _FILE)
    except OSError as error:
        raise _unusable(state, error) from None
    return name


def _unusable(state: Path, error: OSError) -> RelayError:
    return RelayError(f"the worker's name in {state}: {error.strerror}", hint="name another state folder, or mend it")
