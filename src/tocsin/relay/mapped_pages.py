"""The pages of a mapped file that count as this process's memory, though they belong to the system's cache.

LMDB maps its file whole, and each page it looks at, and its neighbours, counts as resident until the system wants it
back. Handing them back early costs a look into the page tables each time, and keeps what a relay seems to use
independent of how much waits in it.
"""

import ctypes
import sys
from pathlib import Path

_MADV_DONTNEED = 4  # Linux, sys/mman.h


class MappedPages:
    """Those of one file, which is mapped read-only and shared, and stays where it is."""

    def __init__(self, file: Path) -> None:
        """`file` is mapped already. Where that cannot be found out, nothing is handed back."""
        self._spans = _spans_of(file) if sys.platform == "linux" else []
        self._madvise = ctypes.CDLL(None, use_errno=True).madvise if self._spans else None

    def let_go(self) -> None:
        """Hand them back. They are read from the file again when they are looked at, also in an open transaction."""
        if self._madvise is not None:
            for start, end in self._spans:
                self._madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


def _spans_of(file: Path) -> list[tuple[int, int]]:
    """Source: proc_pid_maps(5)."""
    found, path = [], str(file.resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        if not line.endswith(path):
            continue  # before anything is taken apart: a worker of a fleet maps thousands of files
        span, mode, _, _, _, name = line.split(maxsplit=5)
        if name == path and mode == "r--s":
            start, end = span.split("-")
            found.append((int(start, 16), int(end, 16)))
    return found
