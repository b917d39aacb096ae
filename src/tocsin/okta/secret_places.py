"""Where a secret is kept: a file of its own, or the environment; never an argument that others can see in `ps`."""

import os
from pathlib import Path

from tocsin.errors import TocsinError

_MAX_BYTES = 64 * 1024  # larger than any token: a wrong path must not be read into memory whole
_ALONE = "put the token alone in it"


class NoToken(TocsinError):
    """No usable token was found. Nothing was sent."""


def token_in_file(path: Path) -> str:
    """The first line of a file, without surrounding blanks. Raises: NoToken, which never shows the content."""
    try:
        with path.open(encoding="utf-8") as file:
            return _checked(file.readline(_MAX_BYTES).strip(), place=str(path))
    except OSError as error:
        raise NoToken(f"{path}: {error.strerror}", hint="name a file that holds the token alone") from None
    except UnicodeDecodeError:
        raise NoToken(f"{path} is not a text file", hint="name a file that holds the token alone") from None


def token_in_variable(name: str) -> str:
    """The content of a variable of the environment. Raises: NoToken, which never shows it."""
    return _checked(os.environ.get(name, "").strip(), place=name)


def _checked(token: str, *, place: str) -> str:
    if not token:
        raise NoToken(f"{place} is empty", hint=_ALONE)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NoToken(f"{place} does not hold a token: blanks or signs that no token has", hint=_ALONE)
    return token
