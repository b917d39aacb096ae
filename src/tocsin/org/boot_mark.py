"""A note beside an unsynced file that says if the file can be trusted.

The risk index is written without waiting for the disk, which makes it several times as fast. A killed process harms
nothing then, for the system still has every page; only when the machine itself goes down may pages be lost. So while
the index is in use the note holds the id of this boot, and it is empty once the last user has synced. A note of
another boot means: it was in use when the machine went down, so make it again from the journal.

The note's file carries the lock. Whoever finds it free holds it alone until the file beside it is fit for use, and the
others wait for that; from then on all share it.
"""

import fcntl
import os
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NOTE_MAX_BYTES = 100
_UNKNOWN_BOOT = b"a boot of unknown id"
_BEING_REMADE = b"being remade"


class BootMark:
    """The note at `path`, held for as long as this process uses what lies beside it."""

    def __init__(self, path: Path, *, boot_id: Path = BOOT_ID, remakes: bool = True) -> None:
        """
        Waits for another process that makes the file fit for use.

        Args:
            boot_id: the system's file with the id of this boot; without one, a file not left cleanly counts as torn.
            remakes: False for who would `abandon` a torn file: until `share`, the note then stays as it is.
        Raises: OSError, when the note cannot be made.
        """
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._boot, self._remakes = _read_boot_id(boot_id), remakes
        self.alone = False
        """Whether nobody else uses the file; nobody else begins to before `share`."""
        self.torn = False
        """Whether the machine went down with the file in use: then it must be remade before `share`. Only if alone."""
        try:
            self._enter()
        except BaseException:
            self.abandon()
            raise

    def share(self) -> None:
        """Let others in: once a torn file has been removed."""
        self._note(self._boot)
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        # The lock was let go for a moment, in which somebody may have come, left, and noted that the file is whole.
        self._note(self._boot)
        self.alone = False

    def leave(self) -> None:
        """Call after a sync. The last of all processes to leave notes that the file is whole."""
        try:
            if self._lock_alone():
                os.ftruncate(self._handle, 0)
        finally:
            os.close(self._handle)

    def abandon(self) -> None:
        """Let go without a word about the file: it could not be used."""
        os.close(self._handle)

    def _enter(self) -> None:
        while not self._lock_alone():
            fcntl.flock(self._handle, fcntl.LOCK_SH)
            if self._read() in (b"", self._boot):
                self._note(self._boot)  # also when the one who was here has just emptied it and left
                return
            # The one who was to remake the file has died over it: now it is for us, or for another who waited.
        self.alone = True
        trusted = (b"",) if self._boot == _UNKNOWN_BOOT else (b"", self._boot)
        self.torn = self._read() not in trusted
        if self._remakes:
            self._note(_BEING_REMADE if self.torn else self._boot)

    def _note(self, text: bytes) -> None:
        if self._read() == text:
            return
        os.pwrite(self._handle, text, 0)  # never empty meanwhile: that would say that the file is whole
        os.ftruncate(self._handle, len(text))
        os.fsync(self._handle)  # the note has to be on the disk before any page of the file is

    def _lock_alone(self) -> bool:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _read(self) -> bytes:
        return os.pread(self._handle, _NOTE_MAX_BYTES, 0)


def _read_boot_id(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError:
        return _UNKNOWN_BOOT
