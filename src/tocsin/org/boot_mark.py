"""A note beside an unsynced file that says if the file can be trusted.

The risk index is written without waiting for the disk, which makes it several times as fast. A killed process harms
nothing then, for the system still has every page; only when the machine itself goes down may pages be lost. So while
the index is in use the note holds the id of this boot, and it is empty once the last user has synced. A note of
another boot means: it was in use when the machine went down, so make it again from the journal.
"""

import fcntl
import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NOTE_MAX_BYTES = 100


class BootMark:
    """The note at `path`, held for as long as this process uses what lies beside it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError when the note cannot be made."""
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._boot = _boot_id()
        self.torn = False
        """Whether the machine went down with the file in use. Then nobody else uses it now, and it must be remade."""
        try:
            self._enter()
        except BaseException:
            os.close(self._handle)
            raise

    def leave(self) -> None:
        """Call after a sync. The last of all processes to leave notes that the file is whole."""
        try:
            if self._alone():
                os.ftruncate(self._handle, 0)
        finally:
            os.close(self._handle)

    def _enter(self) -> None:
        if self._alone():
            self.torn = self._read() not in (b"", self._boot)
        # Written also when not alone: the one who was here may have just emptied it and left.
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        if not self.torn:
            self.hold()

    def hold(self) -> None:
        """Note that the file is in use in this boot: once a torn one has been removed."""
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, self._boot, 0)

    def _alone(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _read(self) -> bytes:
        return os.pread(self._handle, _NOTE_MAX_BYTES, 0)


def _boot_id() -> bytes:
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:
        return os.urandom(16)  # no such thing on this system: never the same, so unclean always means torn
