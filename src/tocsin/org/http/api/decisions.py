"""Operations that say how risky an IP is, and what to do about it."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tocsin.org.http.api.operation import Answer, Operation, Parameter
from tocsin.org.http.batch import BATCH_PATH, MOST_IPS, Asked, Weights
from tocsin.org.http.check import CHECK_PATH
from tocsin.org.http.live import LIVE_PATH
from tocsin.org.http.policy import POLICY_PATH, PolicyView
from tocsin.org.http.risk import IPS_PATH, MAX_SEQ
from tocsin.org.http.sign_ins import SIGN_INS_PATH, AskedSignIn, SignInView
from tocsin.org.http.views import IpView
from tocsin.org.policy import Policy
from tocsin.signals.events import AnyIp

_RISK_HEADERS = {
    "X-Risk-Action": "`allow`, `challenge` or `deny`",
    "X-Risk-Rule": "By which rule of the policy",
    "X-Risk-Level": "The effective level, or `NONE`",
    "X-Risk-IP": "The client that was looked up; absent when it is not known who asks",
    "X-Risk-Provider": "Who says so",
    "X-Risk-Expires": "Until when",
}


class StreamEvent(Struct):
    """A server-sent event."""

    id: str
    """Where in the journal it stands: what to send as Last-Event-ID."""
    event: Literal["ready", "risk", "changed", "reset"]
    data: str
    """JSON."""


DECISION_OPERATIONS = (
    Operation(
        id="getIpRisk",
        method="GET",
        path=IPS_PATH + "{ip}",
        tag="Decisions",
        summary="How risky an IP is now, and why",
        parameters=(
            Parameter("ip", "path", "An IPv4 or IPv6 address", AnyIp, required=True, example="203.0.113.9"),
            Parameter(
                "after",
                "query",
                "Wait up to 10 s until the journal entry with this seq is in the answer",
                Annotated[int, Meta(ge=0, le=MAX_SEQ)],
            ),
        ),
        answers={200: Answer("Also for an IP that nobody spoke about", body=IpView)},
    ),
    Operation(
        id="getRiskOfIps",
        method="POST",
        path=BATCH_PATH,
        tag="Decisions",
        summary=f"How risky up to {MOST_IPS} IPs are now, in short",
        body=Asked,
        body_example={"ips": ["203.0.113.9", "2001:db8::1"]},
        answers={200: Answer("An answer for each, in the order asked", body=Weights)},
    ),
    Operation(
        id="checkClient",
        method="GET",
        path=CHECK_PATH,
        tag="Decisions",
        summary="Whether a client may come in, for the authorization requests of proxies",
        answers={200: Answer("It may", headers=_RISK_HEADERS)},
        refusals={
            401: Answer("It is to be challenged, or the token is not known", headers=_RISK_HEADERS),
            403: Answer("It may not, or there is no token", headers=_RISK_HEADERS),
        },
    ),
    Operation(
        id="evaluateSignIn",
        method="POST",
        path=SIGN_INS_PATH,
        tag="Decisions",
        summary="Evaluate a sign-in by the policy, and log it",
        body=AskedSignIn,
        body_example={"ip": "203.0.113.9", "user": {"login": "lee@example.com"}, "userAgent": "curl/8.0"},
        answers={200: Answer("What to do, once it is logged durably", body=SignInView)},
    ),
    Operation(
        id="getPolicy",
        method="GET",
        path=POLICY_PATH,
        tag="Policy",
        summary="What the org does about each level, and who said so",
        answers={200: Answer("The policy that holds", body=PolicyView)},
    ),
    Operation(
        id="replacePolicy",
        method="PUT",
        path=POLICY_PATH,
        tag="Policy",
        summary="Replace the policy",
        body=Policy,
        body_example={"high": "deny", "medium": "challenge", "low": "allow", "allowed": ["192.0.2.0/24"]},
        answers={200: Answer("The new one, once it holds", body=PolicyView)},
    ),
    Operation(
        id="streamRisk",
        method="GET",
        path=LIVE_PATH,
        tag="Decisions",
        summary="Server-sent events about every IP that somebody asserts something of, as it happens",
        parameters=(
            Parameter(
                "Last-Event-ID",
                "header",
                "The id of the last event that came: what followed it is told, nothing twice and nothing left out",
                Annotated[str, Meta(pattern=r"^([0-9]{1,18}(-[0-9]{1,4})?)?$")],
            ),
        ),
        answers={200: Answer("For as long as the client stays", body=StreamEvent, media="text/event-stream")},
        refusals={429: Answer("There are as many streams as the org is set up for")},
    ),
)
