"""What docs/fleet.md and docs/fleet-relay.md tell a newcomer to paste does what it says, in the order it stands."""

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.fleet import server_ports
from support.nats_cluster import held_port

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def test_from_nothing_to_three_servers_two_nodes_one_org_and_a_relay_worker(tmp_path: Path) -> None:
    text = "".join((ROOT / "docs" / page).read_text(encoding="utf-8") for page in ("fleet.md", "fleet-relay.md"))
    script = "set -eu\n" + "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    with ExitStack() as held:
        for written in ("8420", "8421"):
            script = script.replace(written, str(held.enter_context(held_port())))
        for written, port in zip(("4222", "4223", "4224"), server_ports(), strict=True):
            script = script.replace(written, str(port))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "OKTA_"))}
    env |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (tmp_path / "out").open("wb") as out:
        shell = subprocess.Popen(
            ["bash", "-c", script], cwd=tmp_path, env=env, stdout=out, stderr=out, start_new_session=True
        )
        try:
            code = shell.wait(timeout=100)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)
    said = (tmp_path / "out").read_text()
    assert code == 0, said
    assert "PROBLEM" not in said
    assert "made KV_tocsin_orgs" in said
    assert said.count('"ready":true') == 2
    assert re.search(r"8\.8\.4\.4  [A-Z]+ \(enforced: none\)", said)
    assert re.search(r"^  target\.acme$", said, re.MULTILINE)
    assert "Traceback" not in said
