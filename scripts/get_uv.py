"""Put the uv that `uv.lock` pins into .tools/bin, with nothing but Python's standard library.

A bare Debian has python3 without venv and pip, so neither can be asked. The lock file already names uv's wheel and its
hash for every platform: fetch that one, check the hash, take the binary out. Where the wheel's address cannot be
reached (a machine behind a mirror), pip knows the way, so it is the second try.
"""

import hashlib
import io
import platform
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / ".tools" / "bin" / "uv"
TIMEOUT_S = 60


def main() -> None:
    """Make .tools/bin/uv, or exit with one line that says what is missing."""
    package = _locked_uv()
    try:
        binary = _binary(_fetch(_wheel(package["wheels"])))
    except (OSError, LookupError, ValueError) as error:
        binary = _by_pip(package["version"], error)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    unfinished = TARGET.with_suffix(".new")
    unfinished.write_bytes(binary)
    unfinished.chmod(0o755)
    unfinished.replace(TARGET)


def _locked_uv() -> dict[str, Any]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    package: dict[str, Any] = next(package for package in lock["package"] if package["name"] == "uv")
    return package


def _wheel(wheels: list[dict[str, Any]]) -> dict[str, Any]:
    libc = "manylinux" if platform.libc_ver()[0] == "glibc" else "musllinux"
    system = libc if sys.platform == "linux" else "macosx"
    for wheel in wheels:
        name = wheel["url"].rpartition("/")[2]
        if system in name and platform.machine() in name:
            return wheel
    raise LookupError(f"uv.lock has no uv for {sys.platform} {platform.machine()}")


def _fetch(wheel: dict[str, Any]) -> bytes:
    with urllib.request.urlopen(wheel["url"], timeout=TIMEOUT_S) as answer:  # noqa: S310, https from the lock file
        content: bytes = answer.read()
    if "sha256:" + hashlib.sha256(content).hexdigest() != wheel["hash"]:
        raise ValueError("the wheel of uv does not have the hash that uv.lock names")
    return content


def _binary(wheel: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
        return archive.read(name)


def _by_pip(version: str, why: Exception) -> bytes:
    folder = ROOT / ".tools" / "pip"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), f"uv=={version}"]
    if subprocess.run(command, check=False).returncode != 0:  # noqa: S603
        sys.exit(f"make: cannot get uv ({why}), and pip cannot either; set UV=/path/to/uv")
    return (folder / "bin" / "uv").read_bytes()


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036, this runs before anything has checked it
        sys.exit("make: Tocsin needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")
    main()
