"""Keys of APIs: out of a file or a variable of the environment, read when they are needed, and shown to nobody."""

from base64 import b64encode
from pathlib import Path

from tocsin.okta.secret_places import secret_in_file, secret_in_variable
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError


def key_of(config: SourceConfig) -> str | None:
    """The key; None when the configuration names none. Raises: SourceError, which does not quote it."""
    blanks = config.user is not None  # then it is a password
    if config.key_file is not None:
        return secret_in_file(Path(config.key_file), error=SourceError, blanks=blanks)
    if config.key_env is not None:
        return secret_in_variable(config.key_env, error=SourceError, blanks=blanks)
    return None


def needed_key_of(config: SourceConfig, what: str) -> str:
    """Raises: SourceError, when there is none."""
    key = key_of(config)
    if key is None:
        raise SourceError(f"{what} needs a key", hint="name a file that holds it under key_file, or a variable key_env")
    return key


def authorization(config: SourceConfig) -> dict[str, str]:
    """The header that shows the key: HTTP Basic with a user, a bearer token without; empty when there is no key."""
    key = key_of(config)
    if key is None:
        return {}
    if config.user is not None:
        return {"authorization": f"Basic {b64encode(f'{config.user}:{key}'.encode()).decode()}"}
    return {"authorization": f"Bearer {key}"}
