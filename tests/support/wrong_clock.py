"""A process whose wall clock is off, without the machine's being so: Linux on x86-64.

What a program asks the time of is a few instructions that the kernel maps into each process (the vDSO). Those of one
process are replaced: ask the kernel itself, and add so much. No library has to be loaded, so it works on Go programs.
"""

import platform
import struct
import sys
from pathlib import Path

IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"
_PROGRAM_HEADERS, _DYNAMIC = 32, 2
_SYMBOLS, _STRINGS = 6, 5  # of the dynamic section
_ASKED = b"__vdso_clock_gettime"
# mov eax, 228 (clock_gettime); syscall; test edi, edi (CLOCK_REALTIME?); jne to the end; add qword [rsi], SECONDS; ret
_ADDS = "b8e40000000f0585ff7507488106{}c3"


def set_clock_off(pid: int, seconds: int) -> None:
    """From now on the process `pid` of this user's believes that it is so much later, or earlier."""
    start, end = _place(pid)
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        offset = _offset(memory.read(end - start))
        memory.seek(start + offset)
        memory.write(bytes.fromhex(_ADDS.format(struct.pack("<i", seconds).hex())))


def _place(pid: int) -> tuple[int, int]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    start, _, end = next(line for line in lines if line.endswith("[vdso]")).split()[0].partition("-")
    return int(start, 16), int(end, 16)


def _offset(image: bytes) -> int:
    """Where the function begins; in this image a place in memory is the place in the file."""
    (headers,), (count,) = struct.unpack_from("<Q", image, _PROGRAM_HEADERS), struct.unpack_from("<H", image, 56)
    found = [struct.unpack_from("<IIQ", image, headers + 56 * number) for number in range(count)]
    at = next(offset for kind, _, offset in found if kind == _DYNAMIC)
    tags = dict(struct.iter_unpack("<QQ", image[at : at + (len(image) - at) // 16 * 16]))
    names, symbol = tags[_STRINGS], tags[_SYMBOLS]
    while True:
        name, _, _, _, place, _ = struct.unpack_from("<IBBHQQ", image, symbol)
        if image.startswith(_ASKED + b"\0", names + name):
            return int(place)
        symbol += 24
