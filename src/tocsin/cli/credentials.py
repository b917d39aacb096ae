"""Where a command finds its token: the environment or a file, never an argument that others can see in `ps`."""

import os
from pathlib import Path

from tocsin.errors import TocsinError

TOKEN_VARIABLE = "TOCSIN_TOKEN"  # noqa: S105 - the name of the variable, not its content
_MAX_FILE_BYTES = 64 * 1024  # larger than any token: a wrong path must not be read into memory whole


class NoToken(TocsinError):
    """No usable token was found. Nothing was sent."""


def read_token(token_file: Path | None) -> str:
    """
    The token of `TOCSIN_TOKEN`, else the first line of `token_file`, without surrounding blanks.

    Raises: NoToken, which names the place and never the content.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return _checked(token, place=TOKEN_VARIABLE)
    if token_file is None:
        raise NoToken(
            "no token to authorize with",
            hint=f"set {TOKEN_VARIABLE}, or name a file with --token-file; `tocsin token create NAME` makes one",
        )
    return _checked(_first_line(token_file), place=str(token_file))


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(_MAX_FILE_BYTES).strip()
    except OSError as error:
        raise NoToken(f"{path}: {error.strerror}", hint="name a file that holds the token alone") from None
    except UnicodeDecodeError:
        raise NoToken(f"{path} is not a text file", hint="name a file that holds the token alone") from None


def _checked(token: str, *, place: str) -> str:
    if not token:
        raise NoToken(f"{place} is empty", hint="name a file that holds the token alone")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NoToken(
            f"{place} does not hold a token: blanks or signs that no token has", hint="put the token alone in it"
        )
    return token
