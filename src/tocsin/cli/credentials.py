"""Where a command finds its token."""

import os
from pathlib import Path

from tocsin.okta.secret_places import NoToken, secret_in_file, secret_in_variable

TOKEN_VARIABLE = "TOCSIN_TOKEN"  # noqa: S105 - the name of the variable, not its content


def read_token(token_file: Path | None) -> str:
    """
    The token of `TOCSIN_TOKEN`, else the first line of `token_file`, without surrounding blanks.

    Raises: NoToken, which names the place and never the content.
    """
    if os.environ.get(TOKEN_VARIABLE, "").strip():
        return secret_in_variable(TOKEN_VARIABLE)
    if token_file is None:
        raise NoToken(
            "no token to authorize with",
            hint=f"set {TOKEN_VARIABLE}, or name a file with --token-file; `tocsin token create NAME` makes one",
        )
    return secret_in_file(token_file)
