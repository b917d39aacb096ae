"""Keys of APIs: out of a file or a variable of the environment, read when they are needed, and shown to nobody."""

import os
from base64 import b64encode
from pathlib import Path

from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError

_MOST_CHARS = 4096


def key_of(config: SourceConfig) -> str | None:
    """The key; None when the configuration names none. Raises: SourceError, which does not quote it."""
    if config.key_file is not None:
        try:
            with Path(config.key_file).open(encoding="utf-8") as file:
                key = file.read(_MOST_CHARS).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "is not text"
            raise SourceError(f"key_file {config.key_file} cannot be read: {why}", hint="check the path") from None
        return _checked(key, f"key_file {config.key_file}")
    if config.key_env is not None:
        return _checked(os.environ.get(config.key_env, "").strip(), f"the variable {config.key_env}")
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


def _checked(key: str, place: str) -> str:
    if not key or not key.isprintable() or not key.isascii():
        raise SourceError(f"{place} holds no key", hint="it must hold the key and nothing else")
    return key
