"""What one `tocsin send` was asked to do, and where it keeps how far it has come until all is delivered."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct, json

from tocsin.cli.credentials import TOKEN_VARIABLE
from tocsin.relay import RelayConfig, RelayError, TargetConfig, only_relay

ORG = "org"
_STDIN = "-"
_FORGOTTEN_AFTER_S = 7 * 24 * 3600


class Order(Struct, frozen=True):
    """The same order again goes on where it was interrupted."""

    to: str
    files: tuple[str, ...]
    reading: object = ()
    """How they are to be read; anything that JSON can hold, or a text says."""

    def config(self, folder: Path, token_file: Path | None) -> RelayConfig:
        """For a relay that does just this. Addresses were vetted as they were read."""
        in_variable = bool(os.environ.get(TOKEN_VARIABLE, "").strip()) or token_file is None
        target = TargetConfig(
            url=self.to or "https://nowhere.invalid",
            token_env=TOKEN_VARIABLE if in_variable else None,
            token_file=None if in_variable else str(token_file),
            allow_non_global=True,
        )
        return RelayConfig(state=str(folder), targets={ORG: target})

    @property
    def folder(self) -> Path | None:
        """
        Its own, under the user's folder for state (XDG Base Directory Specification).

        None where standard input is read: what comes there another time is another order.
        """
        if _STDIN in self.files:
            return None
        paths = [str(Path(file).resolve()) for file in self.files]
        what = json.encode([self.to, paths, self.reading], enc_hook=str)
        return _root() / blake2b(what, digest_size=8).hexdigest()


async def forget(folder: Path) -> None:
    """All is delivered; and what was interrupted long ago and never gone on with is out of date."""
    for one in (folder, *_old_ones()):
        with suppress(RelayError, OSError):  # another send uses it, or has removed it: it is not ours to remove then
            async with only_relay(one):
                shutil.rmtree(one)


def _old_ones() -> Iterator[Path]:
    for other in _root().iterdir():
        with suppress(FileNotFoundError):
            if time.time() - other.stat().st_mtime > _FORGOTTEN_AFTER_S:
                yield other


def _root() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "tocsin" / "send"
