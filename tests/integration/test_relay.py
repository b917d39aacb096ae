"""`tocsin relay` as people run it: a real relay, a real org, files that change."""

import socket
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from support.oauth import rsa_key, service_app
from support.org import OrgProcess
from support.process import tocsin
from support.relay_process import RelayProcess, all_delivered, relay_toml, write_list

pytestmark = pytest.mark.slow


def _write(path: Path, levels: dict[str, str], *, number: int = 0) -> Path:
    """A list; the one with the higher number is the newer."""
    return write_list(path, levels, at=datetime.now(UTC) - timedelta(minutes=10 - number))


def _levels(org: OrgProcess, config: Path, ips: list[str]) -> dict[str, str | None]:
    with org.client(config.with_name("token").read_text()) as client:
        return {ip: client.get(f"/risk/v1/ips/{ip}").json()["level"] for ip in ips}


def _until_told(org: OrgProcess, config: Path, levels: dict[str, str | None]) -> None:
    deadline = time.monotonic() + 30
    while (found := _levels(org, config, list(levels))) != levels:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_an_org_follows_the_lists_of_its_sources(tmp_path: Path, org: OrgProcess) -> None:
    """Raised, refused by a filter, lowered by one list and by none; over a restart."""
    one = _write(tmp_path / "one.txt", {"10.0.0.1": "LOW", "10.0.0.2": "HIGH", "10.0.0.3": "HIGH"})
    two = _write(tmp_path / "two.txt", {"10.0.0.2": "MEDIUM", "10.9.0.1": "HIGH"})
    more = 'never_send = ["10.9.0.0/16"]'
    config = relay_toml(tmp_path, org, {"one": one, "two": two}, target=more)
    with RelayProcess(config) as relay:
        assert "one, two to 127.0.0.1" in relay.said
        relay.until(all_delivered)
        _until_told(org, config, {"10.0.0.1": "LOW", "10.0.0.2": "HIGH", "10.0.0.3": "HIGH", "10.9.0.1": None})
        assert relay.stop() == 0
    _write(one, {"10.0.0.1": "HIGH", "10.0.0.4": "MEDIUM"}, number=1)  # 2 and 3 were false alarms, says this list
    with RelayProcess(config) as relay:
        # 10.0.0.3 is let go: it holds LOW for a few seconds more, then nothing.
        _until_told(org, config, {"10.0.0.1": "HIGH", "10.0.0.2": "MEDIUM", "10.0.0.3": None, "10.0.0.4": "MEDIUM"})
        (acme,) = relay.status()["targets"]
        assert acme["delivered"] == 3 + 4
        assert "request.delivered" in relay.log.read_text()
        assert tocsin("status", "--check", "--config", str(config)).returncode == 0
        assert relay.stop() == 0
    assert tocsin("status", "--check", "--config", str(config)).returncode == 1


@pytest.mark.parametrize("dpop", [False, True])
def test_a_service_app_with_its_key(tmp_path: Path, org: OrgProcess, dpop: bool) -> None:
    client_id, key = _service_app(org, dpop=dpop)
    (tmp_path / "key.pem").write_bytes(key.as_pem(private=True))
    path = _write(tmp_path / "list.txt", {"10.0.0.1": "HIGH"})
    target = (
        f'client_id = "{client_id}"\nprivate_key_file = "key.pem"\nprivate_key_id = "k0"\ndpop = {str(dpop).lower()}'
    )
    config = relay_toml(tmp_path, org, {"list": path}, target=target)
    with RelayProcess(config) as relay:
        relay.until(all_delivered)
        _until_told(org, config, {"10.0.0.1": "HIGH"})
        # A key that the org does not know pauses the target, and is no reason to suspect the signals.
        (tmp_path / "key.pem").write_bytes(rsa_key(7).as_pem(private=True))
        relay.kill()
    _write(path, {"10.0.0.1": "LOW"}, number=1)
    with RelayProcess(config) as relay:
        (acme,) = relay.until(lambda now: bool(now["targets"][0]["paused"]))["targets"]
        assert (acme["refused"], acme["backlog"]["let_go"]["count"]) == (0, 1)


def _service_app(org: OrgProcess, *, dpop: bool) -> tuple[str, RSAKey]:
    """One that may send risk events, and speaks for a provider."""
    key = rsa_key()
    with org.client(org.token("admin")) as admin:
        app = admin.post("/oauth2/v1/clients", json=service_app("edge", key, dpop_bound_access_tokens=dpop))
        client_id = str(app.json()["client_id"])
        grant = {"scopeId": "okta.riskEvents.manage", "issuer": org.url}
        assert admin.post(f"/api/v1/apps/{client_id}/grants", json=grant).is_success
        assert admin.post("/api/v1/risk/providers", json={"name": "edge", "clientId": client_id}).is_success
    return client_id, key


def test_what_cannot_be_read_or_is_refused_is_kept_for_a_person(tmp_path: Path, org: OrgProcess) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text('{"ip":"10.0.0.1","riskLevel":"HIGH"}\nnonsense \x1b[2J\n')
    config = str(relay_toml(tmp_path, org, {"list": path}))
    with RelayProcess(Path(config)) as relay:
        relay.until(all_delivered)
        listed = tocsin("quarantine", "list", "--config", config)
        assert "list  line 2: " in listed.stdout
        assert "\x1b" not in listed.stdout
        id_ = listed.stdout.split()[0]
        assert "nonsense" in tocsin("quarantine", "show", id_, "--config", config).stdout
        assert "could not be read" in tocsin("quarantine", "retry", id_, "--config", config).stderr
        mended = '{"ip":"10.0.0.9","riskLevel":"MEDIUM"}'
        assert tocsin("quarantine", "retry", id_, "--as", mended, "--config", config).returncode == 0
        _until_told(org, Path(config), {"10.0.0.1": "HIGH", "10.0.0.9": "MEDIUM"})
        assert tocsin("quarantine", "list", "--config", config).stdout == ""
        assert "is not in quarantine" in tocsin("quarantine", "drop", id_, "--config", config).stderr


def test_a_source_that_stops_and_a_paused_target_are_told(tmp_path: Path, org: OrgProcess) -> None:
    path = _write(tmp_path / "list.txt", {"10.0.0.1": "HIGH"})
    (tmp_path / "token").write_text("00wrongwrongwrongwrongwrongwrongwrongwrong")
    port = _free_port()
    config = relay_toml(tmp_path, org, {"list": path, "gone": tmp_path / "gone.txt"}, more=f"metrics_port = {port}")
    (tmp_path / "token").chmod(0o644)
    with RelayProcess(config) as relay:
        status = relay.until(lambda now: bool(now["targets"][0]["paused"] and now["sources"][0]["stopped"]))
        assert status["running"]
        assert "Invalid token provided" in status["targets"][0]["paused"]
        assert status["targets"][0]["backlog"]["HIGH"]["count"] == 1
        assert "gone.txt cannot be read" in status["sources"][0]["stopped"]
        told = tocsin("status", "--config", str(config)).stdout
        assert "paused: it answered 401: Invalid token provided" in told
        assert "; tried again in about " in told
        assert tocsin("status", "--check", "--config", str(config)).returncode == 1
        log = relay.log.read_text()
        (readable,) = [line for line in log.splitlines() if "secret.readable" in line]
        assert "targets.acme.token_file" in readable
        (paused,) = [line for line in log.splitlines() if "request.paused" in line]
        assert "remedy=" in paused
        assert "again_in_s=" in paused
        assert "stopped: " in told
        shown = _metrics_until(port, 'tocsin_relay_paused{target="acme"} 1.0')
        assert 'tocsin_relay_pending{level="HIGH",target="acme"} 1.0' in shown
        assert 'tocsin_relay_source_stopped{source="gone"} 1.0' in shown
        assert "00wrong" not in relay.log.read_text() + told + shown
        second = tocsin("relay", "--config", str(config))
        assert "another relay uses" in second.stderr
        assert second.returncode == 1
    assert not relay.status()["running"]


def _metrics_until(port: int, line: str) -> str:
    deadline = time.monotonic() + 15
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            shown = answer.read().decode()
        if line in shown:
            return str(shown)
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("[targets.acme]\nurl = 'https://a.example'\ntoken_fil = 'x'", "no key targets.acme.token_fil", "token_file"),
        ("[targets.acme]\nurl = 'https://a.example'", "exactly one of token_file", ""),
        ("[targets.acme]\nurl = 'https://a.example'\ntoken_env='A'\nnever_send=['10.0.0/8']", "10.0.0/8", ""),
        ("[targets.acme]\nurl = 'https://a.example'\ntoken_env='A'\nminimum_level='SEVERE'", "minimum_level", ""),
        ("[targets.acme]\nurl = 'https://a.example'\ntoken_env='NONE_SET'", "acme.token_env: NONE_SET is empty", ""),
        (
            "[targets.acme]\nurl = 'https://a.example'\naccess_token_file='tokn'",
            "targets.acme.access_token_file: {folder}/tokn: No such file",
            "alone",
        ),
        ("state = 3", "state", ""),
    ],
)
def test_a_mistake_in_the_configuration_names_file_and_key(tmp_path: Path, text: str, says: str, hint: str) -> None:
    config = tmp_path / "relay.toml"
    config.write_text(f"{text}\n[sources.list]\npath = 'list'\nformat = 'jsonl'\n")
    run = tocsin("relay", "--config", str(config))
    assert run.returncode == 1
    assert says.format(folder=tmp_path) in run.stderr
    assert hint in run.stderr
    assert "Traceback" not in run.stderr
