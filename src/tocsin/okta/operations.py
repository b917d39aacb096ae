"""The operations of the two APIs, once: the clients send by this table and the pages are written from it.

Source: the risk events and risk providers API pages.
"""

from msgspec import Struct

ANSWERS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
}


class Operation(Struct, frozen=True):
    """One call of the API."""

    api: str
    """Class that offers it."""
    name: str
    """Method of that class."""
    method: str
    path: str
    """With the names of path parameters in braces."""
    summary: str
    description: str
    statuses: tuple[int, ...]
    """Documented answers."""
    returns: str | None = None
    """Model of the answer, `List[Model]`, or None for an empty one."""
    body: str | None = None
    """Type of the parameter `instance`, or None when nothing is sent."""
    repeatable: bool = True
    """Whether doing it twice has the effect of doing it once, so that it may be repeated after any failure."""
    scope: str | None = None
    """The OAuth 2.0 scope that an access token must have for it; None when any will do."""

    @property
    def operation_id(self) -> str:
        """Name in `Configuration.server_operation_index`."""
        return f"{self.api}.{self.name}"


SEND_RISK_EVENTS = Operation(
    api="RiskEventApi",
    name="send_risk_events",
    method="POST",
    path="/api/v1/risk/events/ip",
    summary="Send multiple Risk Events",
    description=(
        "Tells the org how risky IP addresses are. The caller is a risk provider that the org knows, see "
        "[RiskProviderApi](RiskProviderApi.md). One request takes up to 20 events of up to 50 subjects each, and an "
        "org takes 30 requests a minute: fill requests, and send high risk first when there is more than fits."
    ),
    statuses=(202, 400, 403, 429),
    scope="okta.riskEvents.manage",
    body="List[RiskEvent]",
)
CREATE_RISK_PROVIDER = Operation(
    api="RiskProviderApi",
    name="create_risk_provider",
    method="POST",
    path="/api/v1/risk/providers",
    summary="Create a Risk Provider",
    description="Makes a risk provider. An org has three at most, and starts with one of its own.",
    statuses=(201, 400, 403, 429),
    scope="okta.riskProviders.manage",
    returns="RiskProvider",
    body="RiskProvider",
    repeatable=False,
)
DELETE_RISK_PROVIDER = Operation(
    api="RiskProviderApi",
    name="delete_risk_provider",
    method="DELETE",
    path="/api/v1/risk/providers/{riskProviderId}",
    summary="Delete a Risk Provider",
    description="Deletes the risk provider with this id.",
    statuses=(204, 403, 404, 429),
    scope="okta.riskProviders.manage",
)
GET_RISK_PROVIDER = Operation(
    api="RiskProviderApi",
    name="get_risk_provider",
    method="GET",
    path="/api/v1/risk/providers/{riskProviderId}",
    summary="Retrieve a Risk Provider",
    description="Gives the risk provider with this id.",
    statuses=(200, 403, 404, 429),
    scope="okta.riskProviders.read",
    returns="RiskProvider",
)
LIST_RISK_PROVIDERS = Operation(
    api="RiskProviderApi",
    name="list_risk_providers",
    method="GET",
    path="/api/v1/risk/providers",
    summary="List all Risk Providers",
    description="Gives all risk providers of the org.",
    statuses=(200, 403, 429),
    scope="okta.riskProviders.read",
    returns="List[RiskProvider]",
)
REPLACE_RISK_PROVIDER = Operation(
    api="RiskProviderApi",
    name="replace_risk_provider",
    method="PUT",
    path="/api/v1/risk/providers/{riskProviderId}",
    summary="Replace a Risk Provider",
    description="Replaces name, client and action of the risk provider with this id.",
    statuses=(200, 400, 403, 404, 429),
    scope="okta.riskProviders.manage",
    returns="RiskProvider",
    body="RiskProvider",
)
OPERATIONS = (
    SEND_RISK_EVENTS,
    CREATE_RISK_PROVIDER,
    DELETE_RISK_PROVIDER,
    GET_RISK_PROVIDER,
    LIST_RISK_PROVIDERS,
    REPLACE_RISK_PROVIDER,
)
