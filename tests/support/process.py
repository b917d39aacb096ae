"""Processes of the `tocsin` command: one that is run to its end, one that runs, one that serves."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from types import TracebackType
from typing import Any, Self

READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 30.0
_ENDED_WITHIN_S = 90.0  # one waits for a whole window
_FORKING = Path(__file__).with_name("forking.py")


def environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """That of the tests and `more`, without what would tell our commands something."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "OKTA_"))}
    return kept | (more or {})


def tocsin(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one `tocsin` command to its end, with `env` added to its environment."""
    with TemporaryFile() as output, TemporaryFile() as errors:
        with Command(*arguments, output=output.fileno(), errors=errors.fileno(), env=env) as command:
            code = command.wait(_ENDED_WITHIN_S)
        texts = []
        for stream in (output, errors):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(["tocsin", *arguments], code, *texts)


class Forks:
    """The process that forks ours, started when it is first asked. See `forking.py`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: socket.socket | None = None
        self._one_at_a_time = Lock()

    def fork(self, arguments: tuple[str, ...], environment: dict[str, str], streams: tuple[int, int, int]) -> int:
        """A new process that runs `tocsin` with these arguments and standard streams. Returns: its id."""
        folder = str(Path.cwd())
        return self._ask({"arguments": arguments, "environment": environment, "folder": folder}, *streams)

    def ended(self, pid: int) -> int:
        """The exit code of one that has ended; its id is given to others from now on."""
        return self._ask({"ended": pid})

    def close(self) -> None:
        if self._process is not None and self._asked is not None:
            self._asked.close()
            self._process.wait(STOPPED_WITHIN_S)

    def _ask(self, question: dict[str, Any], *streams: int) -> int:
        with self._one_at_a_time:
            asked = self._asked or self._start()
            socket.send_fds(asked, [json.dumps(question).encode()], streams)
            answer = asked.recv(100)
        assert answer, "the process that forks others has ended"
        return int(answer)

    def _start(self) -> socket.socket:
        self._asked, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen([sys.executable, str(_FORKING)], stdin=other.fileno(), env=environment())
        return self._asked


FORKS = Forks()


class Command:
    """A `tocsin` command that runs. Killed at the end of `with`, if it has not ended."""

    def __init__(
        self,
        *arguments: str,
        output: int = subprocess.DEVNULL,
        errors: int = subprocess.DEVNULL,
        env: dict[str, str] | None = None,
    ) -> None:
        """`output` and `errors` are descriptors of open files."""
        with Path(os.devnull).open("r+b") as nothing:
            streams = [nothing.fileno() if one == subprocess.DEVNULL else one for one in (-3, output, errors)]
            self.pid = FORKS.fork(arguments, environment(env), (streams[0], streams[1], streams[2]))
        self._handle: int | None = os.pidfd_open(self.pid)
        self.code = 0

    def send_signal(self, number: int) -> None:
        """Nothing to one that has ended."""
        if self._handle is not None:
            signal.pidfd_send_signal(self._handle, number)

    def has_ended(self) -> bool:
        return self._handle is None or bool(select.select([self._handle], [], [], 0)[0])

    def wait(self, at_most_s: float = STOPPED_WITHIN_S) -> int:
        """Until it ends. Returns: its exit code, or the number of the signal that ended it, below zero."""
        if self._handle is not None:
            ended, _, _ = select.select([self._handle], [], [], at_most_s)
            assert ended, f"it runs still after {at_most_s:.0f} s"
            os.close(self._handle)
            self._handle = None
            self.code = FORKS.ended(self.pid)
        return self.code

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop. Returns: its exit code."""
        self.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL: no chance to write anything."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


class Server(Command):
    """A command that serves. It starts when made, and is ready then."""

    def __init__(self, *arguments: str, log: Path, ready: str, env: dict[str, str] | None = None) -> None:
        """It writes to `log`, and begins with a line that begins with `ready`."""
        self.log = log
        here, there = os.pipe()
        self._out = os.fdopen(here, "rb")
        try:
            with log.open("ab") as errors:
                super().__init__(*arguments, output=there, errors=errors.fileno(), env=env)
        finally:
            os.close(there)
        found, _, _ = select.select([self._out], [], [], READY_WITHIN_S)
        self.said = self._out.readline().decode() if found else ""
        if not self.said.startswith(ready):
            self.kill()
            raise AssertionError(f"`tocsin {arguments[0]}` did not start: {self.said!r}\n{log.read_text()}")

    def wait(self, at_most_s: float = STOPPED_WITHIN_S) -> int:
        code = super().wait(at_most_s)
        self._out.close()
        return code
