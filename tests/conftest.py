import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest
import structlog

from support.nats_cluster import NatsCluster
from support.org import OrgProcess
from support.process import FORKS

hypothesis.settings.register_profile("soak", max_examples=10_000, deadline=None)
hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("tests", deadline=None)  # machines are noisy: speed is measured in bench/
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

# A shell that runs the suite in the background has it ignore SIGINT, and the processes the tests start inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_NUMBERS = count()


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command remembers between two runs stays in the test. Few run any, so the folder is made when one does."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"state-home-{next(_NUMBERS)}"))


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """A command that runs in the process of the tests has the log go to its standard error, which ends with it."""
    yield
    structlog.reset_defaults()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where slow tests are left out, so are the files that hold no others: to import them takes seconds."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    return "\npytestmark = pytest.mark.slow\n" in collection_path.read_text(encoding="utf-8") or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The long ones first: two workers then end at about the same time.
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in ("waits", "slow")])


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    FORKS.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def org(tmp_path: Path) -> Iterator[OrgProcess]:
    """A real org in a process of its own, on a new folder."""
    with OrgProcess(tmp_path / "data") as process:
        yield process


@pytest.fixture(scope="session")
def nats_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Three real servers for all tests of this process that leave them running; each makes streams of its own."""
    with NatsCluster(tmp_path_factory.mktemp("nats")) as cluster:
        yield cluster
