"""The example of the page, run out of the page against a real server, as printed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.okta_org import tiny_org
from support.org import OrgProcess

PAGES = Path(__file__).parents[2] / "docs" / "sdk"


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.DOTALL)


def run(code: str, host: str, *, key: str = "key", token: str = "token") -> str:
    code = code.replace('host = "https://subdomain.okta.com"', f'host = "{host}"')
    assert host in code
    env = {**os.environ, "API_KEY": key, "ACCESS_TOKEN": token}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


@pytest.mark.slow
def test_as_printed_it_says_what_is_missing_and_sends_nothing() -> None:
    (code,) = blocks("RiskEventApi.md")
    with tiny_org() as (url, taken):
        out = run(code, url)
    assert out.startswith("Exception when calling RiskEventApi->send_risk_events: ")
    assert "[0].subjects: is missing" in out
    assert taken == []


@pytest.mark.slow
def test_with_one_subject_it_is_accepted() -> None:
    (code,) = blocks("RiskEventApi.md")
    subject = 'okta.RiskEventSubject(ip="198.51.100.7", risk_level="HIGH")'
    code = code.replace("okta.RiskEvent()", f"okta.RiskEvent(subjects=[{subject}])")
    with tiny_org() as (url, taken):
        assert run(code, url) == ""
    ((path, headers, body),) = taken
    assert path == "/api/v1/risk/events/ip"
    assert headers["Authorization"] == "Bearer token"
    assert json.loads(body) == [{"subjects": [{"ip": "198.51.100.7", "riskLevel": "HIGH"}]}]


@pytest.mark.slow
def test_with_one_subject_and_an_api_token_a_real_org_accepts_it(org: OrgProcess) -> None:
    (code,) = blocks("RiskEventApi.md")
    subject = 'okta.RiskEventSubject(ip="198.51.100.7", risk_level="HIGH")'
    # The page sets both credentials, and an access token wins where there is one; this org has API tokens only.
    key = org.token()
    assert (
        run(code.replace("okta.RiskEvent()", f"okta.RiskEvent(subjects=[{subject}])"), org.url, key=key, token="") == ""
    )
    with org.client(key) as client:
        assert client.get("/risk/v1/ips/198.51.100.7?after=3").json()["level"] == "HIGH"


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md") if not path.stem.endswith("Api")))
def test_the_examples_of_the_models_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for code in blocks(page):
        if page != "README.md":  # the one there stands inside a coroutine
            exec(code, {})
            assert capsys.readouterr().out.startswith("{")
