"""nginx in front of a sign-in, with the configuration that docs/proxies.md prints, asking a running org."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.org import PROVIDERS, OrgProcess, event, send

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parent.parent.parent / "docs" / "proxies.md"
BAD, ODD, CLEAN = "203.0.113.9", "203.0.113.10", "203.0.113.11"
ORG_CONFIG = """
[http]
trusted_proxies = ["127.0.0.1"]
[check]
open_to_proxies = true
"""
# Clients of the test come from loopback: nginx is told to believe what they say of their address.
MAIN = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    real_ip_header X-Test-Client;
    set_real_ip_from 127.0.0.1;
    upstream sign_in { server 127.0.0.1:@SIGN_IN@; }
    server { listen 127.0.0.1:@SIGN_IN@; location / { return 200 "level $http_x_risk_level"; } }
@PRINTED@
}
"""


def printed() -> str:
    """The nginx configuration of the page."""
    found = re.search(r"```nginx\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def nginx(folder: Path, org_url: str) -> Iterator[httpx2.Client]:
    """A client of an nginx that asks the org."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed")
    folder.mkdir(mode=0o755)
    front, sign_in = free_port(), free_port()
    server = printed().replace("listen 80;", f"listen 127.0.0.1:{front};").replace("http://127.0.0.1:8420", org_url)
    config = folder / "nginx.conf"
    config.write_text(MAIN.replace("@PRINTED@", server).replace("@SIGN_IN@", str(sign_in)))
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen([program, "-p", folder, "-c", config], stdout=output, stderr=output) as process,
    ):
        try:
            transport = httpx2.HTTPTransport(retries=5)
            with httpx2.Client(base_url=f"http://127.0.0.1:{front}", transport=transport, timeout=30) as client:
                assert process.poll() is None, log.read_text()
                yield client
        finally:
            process.terminate()


def test_nginx_turns_a_high_ip_away_challenges_a_medium_one_and_lets_a_clean_one_in(tmp_path: Path) -> None:
    config = tmp_path / "org.toml"
    config.write_text(ORG_CONFIG)
    with OrgProcess(tmp_path / "data", "--config", str(config)) as org, nginx(tmp_path / "nginx", org.url) as client:
        with org.client(org.token()) as admin:
            (default,) = admin.get(PROVIDERS).json()
            admin.put(f"{PROVIDERS}/{default['id']}", json={**default, "action": "enforce_and_log"})
            seq = send(admin, event((BAD, "HIGH"), (ODD, "MEDIUM")))
            admin.get(f"/risk/v1/ips/{CLEAN}?after={seq}")
        # What a client writes about itself does not count.
        bad, odd, clean = [
            client.get("/sign-in?a=b", headers={"x-test-client": ip, "x-forwarded-for": CLEAN})
            for ip in (BAD, ODD, CLEAN)
        ]
        assert bad.status_code == 403
        assert (odd.status_code, odd.headers["location"]) == (302, "https://login.example/second-factor")
        assert (clean.status_code, clean.text) == (200, "level NONE")
        assert client.post("/sign-in", content=b"x" * 100, headers={"x-test-client": CLEAN}).status_code == 200
        org.kill()
        assert client.get("/sign-in", headers={"x-test-client": CLEAN}).status_code == 500  # closed
