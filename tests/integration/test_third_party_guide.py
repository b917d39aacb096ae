"""The third-party integration guide, walked step by step with curl, as the script in the documentation has it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.org import OrgProcess

pytestmark = pytest.mark.slow
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "third-party-guide.sh"


def test_the_guide_ends_in_the_system_log(org: OrgProcess) -> None:
    missing = [name for name in ("curl", "openssl") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed")
    env = {**os.environ, "ORG": org.url, "TOCSIN_TOKEN": org.token()}
    walked = subprocess.run(["sh", str(GUIDE)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert walked.returncode == 0, walked.stdout + walked.stderr
    said = walked.stdout.splitlines()
    assert "granted: okta.riskEvents.manage" in said
    assert "Bearer, 3600 s, okta.riskEvents.manage" in said
    assert "HTTP/1.1 202 Accepted" in said
    assert said[-1].startswith("security.risk.signal.consume by risk provider ")
    assert said[-1].endswith(": [{ip=203.0.113.77, riskLevel=HIGH}]")


def test_a_wrong_token_ends_the_guide_with_what_was_answered(org: OrgProcess) -> None:
    if shutil.which("curl") is None or shutil.which("openssl") is None:
        pytest.skip("curl or openssl not installed")
    env = {**os.environ, "ORG": org.url, "TOCSIN_TOKEN": "00wrong"}
    walked = subprocess.run(["sh", str(GUIDE)], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert walked.returncode == 1
    assert walked.stderr.splitlines()[-1] == "curl: (22) The requested URL returned error: 401"
