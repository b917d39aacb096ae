"""Operations on risk events and risk providers. Source: spec 1."""

from typing import Annotated

from msgspec import Meta, Struct

from tocsin.org.http.api.operation import Answer, Operation, Parameter
from tocsin.org.http.risk import RISK_EVENTS_PATH
from tocsin.org.http.views import PROVIDERS_PATH, ProviderView
from tocsin.signals import RiskEvent, RiskProviderAction
from tocsin.signals.limits import CLIENT_ID_CHARS, EVENTS_PER_REQUEST, NAME_CHARS

# In a JSON schema, and only there: the decoder has its own words for what is wrong.
_PRINTABLE = {"pattern": "^[ -~]*[!-~][ -~]*$"}

_PROVIDER_ID = Parameter("id", "path", "`id` of the risk provider", required=True, example="rkp7b1ZfQm3xT9aLw0g7")
_EVENT = {
    "timestamp": "2026-02-03T09:15:00.000Z",
    "expiresAt": "2026-02-04T09:15:00.000Z",
    "subjects": [{"ip": "203.0.113.9", "riskLevel": "HIGH", "message": "Seen on 3 lists."}],
}
_PROVIDER = {"name": "edge-sensor", "clientId": "0oa4k2Yq8VfWn6Rsd0g7", "action": "enforce_and_log"}


class ProviderRequest(Struct, rename="camel"):
    """A risk provider to create, or to replace one with; what is read-only may be sent along and is ignored."""

    name: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS, extra_json_schema=_PRINTABLE)]
    """Unique in the org."""
    client_id: Annotated[str, Meta(min_length=1, max_length=CLIENT_ID_CHARS, extra_json_schema=_PRINTABLE)]
    """Id of the OAuth service app that sends the events; the string `null` for none, where there was none."""
    action: RiskProviderAction | None = None
    """`log_only` when absent."""


RISK_OPERATIONS = (
    Operation(
        id="sendRiskEvents",
        method="POST",
        path=RISK_EVENTS_PATH,
        tag="Risk events",
        summary="Send risk events, which are durable once answered",
        body=Annotated[list[RiskEvent], Meta(min_length=1, max_length=EVENTS_PER_REQUEST)],
        body_example=[_EVENT],
        answers={
            202: Answer(
                "Accepted and durable",
                headers={"X-Tocsin-Journal-Seq": "Where they stand in the journal: the `after` of a look-up"},
            )
        },
    ),
    Operation(
        id="listRiskProviders",
        method="GET",
        path=PROVIDERS_PATH,
        tag="Risk providers",
        summary="List all risk providers",
        answers={200: Answer("At most three", body=list[ProviderView])},
    ),
    Operation(
        id="createRiskProvider",
        method="POST",
        path=PROVIDERS_PATH,
        tag="Risk providers",
        summary="Create a risk provider",
        body=ProviderRequest,
        body_example=_PROVIDER,
        answers={201: Answer("Created", body=ProviderView)},
        links=dict.fromkeys(("getRiskProvider", "replaceRiskProvider", "deleteRiskProvider"), ("id", "id")),
    ),
    Operation(
        id="getRiskProvider",
        method="GET",
        path=PROVIDERS_PATH + "/{id}",
        tag="Risk providers",
        summary="Retrieve a risk provider",
        parameters=(_PROVIDER_ID,),
        answers={200: Answer("The provider", body=ProviderView)},
    ),
    Operation(
        id="replaceRiskProvider",
        method="PUT",
        path=PROVIDERS_PATH + "/{id}",
        tag="Risk providers",
        summary="Replace a risk provider",
        parameters=(_PROVIDER_ID,),
        body=ProviderRequest,
        body_example=_PROVIDER,
        answers={200: Answer("As it is now", body=ProviderView)},
    ),
    Operation(
        id="deleteRiskProvider",
        method="DELETE",
        path=PROVIDERS_PATH + "/{id}",
        tag="Risk providers",
        summary="Delete a risk provider; what it said does not count any more",
        parameters=(_PROVIDER_ID,),
        answers={204: Answer("Deleted")},
    ),
)
