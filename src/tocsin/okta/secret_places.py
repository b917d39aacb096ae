"""Where a secret is kept: a file of its own, or the environment; never an argument that others can see in `ps`."""

import os
import stat
from pathlib import Path

from tocsin.errors import TocsinError

_MAX_BYTES = 64 * 1024  # larger than any token: a wrong path must not be read into memory whole
_ALONE = "put the token or key alone in it"
_NAME_ONE = "name a file that holds the token or key alone"


class NoToken(TocsinError):
    """No usable token was found. Nothing was sent."""


def secret_in_file(path: Path, *, error: type[TocsinError] = NoToken, blanks: bool = False) -> str:
    """
    The first line of a file, without surrounding blanks.

    Args:
        error: what to raise.
        blanks: whether there may be some inside it, as in a password.
    Raises: `error`, which never shows the content.
    """
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_MAX_BYTES)
    except OSError as why:
        raise error(f"{path}: {why.strerror}", hint=_NAME_ONE) from None
    except UnicodeDecodeError:
        raise error(f"{path} is not a text file", hint=_NAME_ONE) from None
    return _checked(line.strip(), str(path), error, blanks)


def secret_in_variable(name: str, *, error: type[TocsinError] = NoToken, blanks: bool = False) -> str:
    """The content of a variable of the environment; as `secret_in_file`."""
    return _checked(os.environ.get(name, "").strip(), name, error, blanks)


def others_may_read(path: Path) -> bool:
    """Whether a file is not for its owner and group alone. False for one that is not there."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _checked(secret: str, place: str, error: type[TocsinError], blanks: bool) -> str:
    if not secret:
        raise error(f"{place} is empty", hint=_ALONE)
    if not secret.isascii() or not secret.isprintable() or (" " in secret and not blanks):
        raise error(f"{place} does not hold a token or key: blanks or signs that none has", hint=_ALONE)
    return secret
