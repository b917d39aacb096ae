"""What one `tocsin send` was asked to do, and where it keeps how far it has come until all is delivered."""

import os
import shutil
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct, json

from tocsin.cli.credentials import TOKEN_VARIABLE
from tocsin.relay import RelayConfig, TargetConfig, is_running

ORG = "org"
_FORGOTTEN_AFTER_S = 7 * 24 * 3600


class Order(Struct, frozen=True):
    """The same order again goes on where it was interrupted."""

    to: str
    files: tuple[str, ...]
    reading: Sequence[object] = ()
    """How they are to be read; anything that JSON can hold."""

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
    def folder(self) -> Path:
        """Its own, under the user's folder for state (XDG Base Directory Specification)."""
        paths = [file if file == "-" else str(Path(file).resolve()) for file in self.files]
        what = json.encode([self.to, paths, self.reading])
        return _root() / blake2b(what, digest_size=8).hexdigest()


def forget(folder: Path) -> None:
    """All is delivered; and what was interrupted long ago and never gone on with is out of date."""
    shutil.rmtree(folder)
    for other in _root().iterdir():
        if time.time() - other.stat().st_mtime > _FORGOTTEN_AFTER_S and not is_running(other):
            shutil.rmtree(other)


def _root() -> Path:
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "tocsin" / "send"
