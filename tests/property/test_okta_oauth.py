"""A promise for all times: no call meets a 401 over a token that ran out, whatever our clock shows."""

from datetime import timedelta

import httpx2
from hypothesis import given
from hypothesis import strategies as st

from support.okta_oauth_org import CLIENT_ID, KEY, SEND, OAuthOrg
from support.okta_org import EVENT, HOST, NOW
from tocsin import okta

PEM = KEY.as_pem(private=True).decode()


@given(
    gaps_s=st.lists(st.floats(0.0, 4000.0), max_size=12),
    life_s=st.integers(1, 7200),
    ahead_s=st.floats(-10_000.0, 10_000.0),
    requires_dpop=st.booleans(),
)
def test_a_token_is_renewed_before_it_is_refused(
    gaps_s: list[float], life_s: int, ahead_s: float, requires_dpop: bool
) -> None:
    now = [NOW]
    org = OAuthOrg(clock=lambda: now[0], ahead=timedelta(seconds=ahead_s), life_s=life_s, requires_dpop=requires_dpop)
    app = okta.Configuration(
        host=HOST, client_id=CLIENT_ID, private_key=PEM, private_key_id="k-1", scopes=SEND, retries=0
    )
    with okta.ApiClient(app, transport=httpx2.MockTransport(org), clock=lambda: now[0]) as client:
        for gap_s in (0.0, *gaps_s):
            now[0] += timedelta(seconds=gap_s)
            okta.RiskEventApi(client).send_risk_events([EVENT])
    assert len(org.calls) == 1 + len(gaps_s)  # each sent once: none was refused
    due = sum(gap_s > 0 for gap_s in gaps_s)
    assert len(org.token_requests) <= 4 + due  # and no more tokens than there were moments to renew
