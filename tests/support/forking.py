"""Forks a process for each `tocsin` command that is asked for. It has imported all of them, so that they need not.

To import a command is most of a second of a processor's time, and the suite runs hundreds. What is forked here is as
real as what `python -m tocsin` starts: it has streams, environment, folder, id and end of its own.

Run as a script, with a socket as its standard input. A question is a JSON object: `{"arguments": [...],
"environment": {...}, "folder": "..."}` with the three standard streams beside it, answered by the process id; or
`{"ended": pid}` about one that has ended, answered by its exit code as `subprocess` gives it.
"""

import gc
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import tocsin
from tocsin.cli.main import app
from tocsin.errors import TocsinError

LONGEST_BYTES = 100_000
STREAMS = 3
_ITSELF = "tocsin.__main__"


def main() -> None:
    """Serve until the socket ends. In a forked process: run its command."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: who asks decides what it means
    _import_all()
    with socket.socket(fileno=os.dup(sys.stdin.fileno())) as asked:
        while True:
            content, streams, _, _ = socket.recv_fds(asked, LONGEST_BYTES, STREAMS)
            if not content:
                return
            question = json.loads(content)
            if "ended" in question:
                answer = os.waitstatus_to_exitcode(os.waitpid(question["ended"], 0)[1])
            elif (answer := os.fork()) == 0:
                break
            for stream in streams:
                os.close(stream)
            asked.send(str(answer).encode())
    _become(question, streams)


def _import_all() -> None:
    for module in walk_packages(tocsin.__path__, "tocsin."):
        if module.name != _ITSELF:
            import_module(module.name)
    with suppress(TocsinError):  # what the first command of all imports
        app(["token", "list", "--data", str(Path(__file__) / "none")], standalone_mode=False)
    gc.freeze()


def _become(question: dict[str, Any], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(question["folder"])
    os.environ.clear()
    os.environ.update(question["environment"])
    for folder in filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep)):
        if (customized := Path(folder) / "sitecustomize.py").exists():  # as a Python that starts does
            runpy.run_path(str(customized))
    sys.argv[1:] = question["arguments"]
    runpy.run_module(_ITSELF, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
