"""Operations that CrowdSec bouncers know, as far as they use the Local API. Source: answers recorded from CrowdSec."""

from typing import Any

from msgspec import Struct

from tocsin.org.http.api.operation import Answer, Operation, Parameter
from tocsin.org.http.lapi import DECISIONS_PATH, STREAM_PATH, UP_PATH, USAGE_METRICS_PATH


class LapiDecision(Struct):
    """What a bouncer is to do about one IP."""

    id: int
    origin: str
    type: str
    scope: str
    value: str
    duration: str
    scenario: str


class LapiChanges(Struct):
    """What has changed since the bouncer last asked."""

    new: list[LapiDecision] | None
    deleted: list[LapiDecision] | None


class LapiError(Struct):
    """A refusal in the form of CrowdSec's Local API."""

    message: str


_REFUSALS = {
    403: Answer("The key is not known", body=LapiError),
    500: Answer("As CrowdSec answers to a filter that it cannot read", body=LapiError),
    503: Answer("This node cannot know now whose key it is, or is behind what was told before", body=LapiError),
}
_IP = Parameter("ip", "query", "Decisions about this IP", example="203.0.113.9")
_SCOPES = Parameter("scopes", "query", "Of these scopes, such as `Ip`")

CROWDSEC_OPERATIONS = (
    Operation(
        id="listDecisions",
        method="GET",
        path=DECISIONS_PATH,
        tag="CrowdSec bouncers",
        asked_by="bouncer",
        summary="Decisions that hold, of all IPs or some",
        parameters=(
            _IP,
            Parameter("value", "query", "Decisions about this value"),
            _SCOPES,
            Parameter("type", "query", "Of this type, such as `ban`"),
        ),
        answers={200: Answer("The decisions; null for none", body=list[LapiDecision] | None)},
        refusals=_REFUSALS,
    ),
    Operation(
        id="streamDecisions",
        method="GET",
        path=STREAM_PATH,
        tag="CrowdSec bouncers",
        asked_by="bouncer",
        summary="What has changed since the bouncer last asked; with `startup=true` all that holds",
        parameters=(Parameter("startup", "query", "`true` for all that holds"), _SCOPES),
        answers={200: Answer("The changes", body=LapiChanges)},
        refusals=_REFUSALS,
    ),
    Operation(
        id="takeUsageMetrics",
        method="POST",
        path=USAGE_METRICS_PATH,
        tag="CrowdSec bouncers",
        asked_by="bouncer",
        summary="Take what a bouncer reports of its work; it is not kept",
        body=dict[str, Any],
        body_example={"remediation_components": []},
        answers={201: Answer("Taken")},
        refusals={
            400: Answer("Not JSON", body=LapiError),
            403: _REFUSALS[403],
            503: _REFUSALS[503],
            408: Answer("The body did not come in time", body=LapiError),
            413: Answer("The body is too large", body=LapiError),
        },
    ),
    Operation(
        id="getLapiHealth",
        method="GET",
        path=UP_PATH,
        tag="CrowdSec bouncers",
        asked_by="anyone",
        summary="Whether the Local API is up",
        answers={200: Answer("It is", body=dict[str, str])},
    ),
)
