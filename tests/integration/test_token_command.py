"""`tocsin token` beside an org that runs: create, list with the last use, revoke."""

from pathlib import Path

import pytest

from support.org import PROVIDERS, OrgProcess
from support.process import tocsin
from tocsin.org.last_uses import EVERY_MS, LastUses


@pytest.mark.slow
def test_tokens_are_listed_with_their_last_use_and_revoked_while_the_org_runs(org: OrgProcess) -> None:
    data = ("--data", str(org.data))
    secret, _ = org.token("ci", "--role", "read_only"), org.token("idle")
    with org.client(secret) as client:
        assert client.get(PROVIDERS).status_code == 200
        listed = tocsin("token", "list", *data)
        assert listed.returncode == 0, listed.stderr
        head, ci, idle = (line.split() for line in listed.stdout.splitlines())
        assert head == ["NAME", "ID", "ROLE", "CREATED", "LAST", "USED"]
        assert (ci[0], ci[2], ci[4] >= ci[3]) == ("ci", "read_only", True)
        assert (idle[0], idle[2], idle[4]) == ("idle", "super_admin", "never")
        assert secret not in listed.stdout
        revoked = tocsin("token", "revoke", "ci", *data)
        assert (revoked.returncode, revoked.stdout) == (0, "revoked ci\n")
        org.kill()
    with OrgProcess(org.data) as again, again.client(secret) as client:
        assert client.get(PROVIDERS).json()["errorCode"] == "E0000011"
        assert len(tocsin("token", "list", *data).stdout.splitlines()) == 2
    unknown = tocsin("token", "revoke", "ci", *data)
    assert (unknown.returncode, "there is no token named 'ci'" in unknown.stderr) == (1, True)
    nowhere = tocsin("token", "list", "--data", str(org.data) + "-not")
    assert (nowhere.returncode, "there is none" in nowhere.stderr) == (1, True)


@pytest.mark.slow
def test_a_running_org_learns_of_a_revoked_token(org: OrgProcess) -> None:
    secret = org.token("ci")
    with org.client(secret) as client:
        assert client.get(PROVIDERS).status_code == 200
        assert tocsin("token", "revoke", "ci", "--data", str(org.data)).returncode == 0
        # A token that is not known makes the org look for news: so there is nothing to wait for.
        assert client.get(PROVIDERS, headers={"authorization": "SSWS 00wrong"}).status_code == 401
        assert client.get(PROVIDERS).status_code == 401


async def test_the_last_use_is_written_once_a_minute_and_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "uses.db"
    uses = LastUses(path)
    for at_ms in (1_000_000, 1_000_001, 1_000_000 + EVERY_MS - 1):
        uses.note("00Ta", at_ms)
    uses.note("00Tb", 5)
    assert await uses.all() == {"00Ta": 1_000_000, "00Tb": 5}
    again = LastUses(path)  # as it is after a kill: nothing was closed
    assert await again.all() == {"00Ta": 1_000_000, "00Tb": 5}
    again.note("00Ta", 1_000_000 + EVERY_MS)
    again.note("00Tb", 1)  # a clock that was set back
    assert await again.all() == {"00Ta": 1_000_000 + EVERY_MS, "00Tb": 5}
    assert path.stat().st_mode & 0o777 == 0o600
    for each in (uses, again):
        each.close()
