"""Operations of OAuth 2.0: clients, grants, and the endpoints that find out by themselves who asks. Source: spec 4."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tocsin.org.http.api.errors import Error
from tocsin.org.http.api.operation import Answer, Operation, Parameter
from tocsin.org.http.grants import GrantBody
from tocsin.org.http.oauth import INTROSPECT_PATH, KEYS_PATH, METADATA_NAMES, REVOKE_PATH, TOKEN_PATH
from tocsin.org.http.oauth_views import APPS_PATH, CLIENTS_PATH, ClientView, GrantView
from tocsin.org.oauth.metadata import ClientBody

FORM = "application/x-www-form-urlencoded"
GRANTS_PATH = APPS_PATH + "/{appId}/grants"
_METADATA = tuple(zip(("OpenIdConfiguration", "OAuthMetadata"), METADATA_NAMES, strict=True))
_CLIENT_ID = Parameter("clientId", "path", "`client_id` of the client", required=True, example="0oa4k2Yq8VfWn6Rsd0g7")
_APP_ID = Parameter("appId", "path", "`client_id` of the service app", required=True, example="0oa4k2Yq8VfWn6Rsd0g7")
_GRANT_ID = Parameter("grantId", "path", "`id` of the grant", required=True, example="oag7b1ZfQm3xT9aLw0g7")
_CLIENT = {
    "client_name": "edge-sensor",
    "application_type": "service",
    "grant_types": ["client_credentials"],
    "response_types": ["token"],
    "token_endpoint_auth_method": "client_secret_basic",
}
_GRANT = {"scopeId": "okta.riskEvents.manage", "issuer": "http://127.0.0.1:8420"}
_ONE_CLIENT = CLIENTS_PATH + "/{clientId}"


class OAuthError(Struct):
    """A refusal in the form of OAuth: RFC 6749, 5.2."""

    error: str
    error_description: str


class Credentials(Struct, kw_only=True):
    """Who asks, where that does not stand in the Authorization header (HTTP Basic)."""

    client_id: str | None = None
    client_secret: str | None = None
    client_assertion_type: Literal["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"] | None = None
    client_assertion: str | None = None
    """A JWT that the client has signed: RFC 7523."""


class TokenRequest(Credentials, kw_only=True):
    """What the token endpoint takes; it may stand in the query too."""

    grant_type: Literal["client_credentials"]
    scope: str | None = None
    """Scopes with a blank between; all that are granted when absent."""


class TokenQuestion(Credentials, kw_only=True):
    """A token to tell about or to revoke."""

    token: Annotated[str, Meta(min_length=1)]
    token_type_hint: str | None = None


class TokenAnswer(Struct):
    """An access token."""

    token_type: Literal["Bearer", "DPoP"]
    expires_in: int
    access_token: str
    scope: str


class TokenState(Struct):
    """What a token says, when it is active."""

    active: bool


class KeySet(Struct):
    """The public keys that access tokens are signed with."""

    keys: list[dict[str, str]]


_AT_CLIENTS = {400: Answer("`invalid_client_metadata`, or an error of the API", body=dict[str, Any])}
_AT_ENDPOINTS = {
    400: Answer(
        "`invalid_request`, `invalid_scope`, `unsupported_grant_type`, `invalid_dpop_proof`, `use_dpop_nonce`, "
        "or E0000021 for another content type",
        body=dict[str, Any],
    ),
    401: Answer("`invalid_client`", body=OAuthError),
    403: Answer("`unauthorized_client`", body=OAuthError),
    408: Answer("The body did not come in time", body=Error),
    411: Answer("Neither a body nor a Content-Length"),
    413: Answer("The body is too large", body=Error),
    429: Answer("The window of the rate limit is used up", body=Error),
    500: Answer("`server_error`", body=OAuthError),
    503: Answer("Nothing can be written now", body=Error),
}

OAUTH_OPERATIONS = (
    Operation(
        id="listClients",
        method="GET",
        path=CLIENTS_PATH,
        tag="OAuth clients",
        summary="A page of the OAuth clients, oldest first",
        parameters=(
            Parameter("limit", "query", "Clients on a page; 20 when absent", Annotated[int, Meta(ge=1, le=200)]),
            Parameter("after", "query", "Where a page goes on: take it from a `next` link only"),
            Parameter("q", "query", "How the name begins"),
        ),
        answers={200: Answer("The clients", body=list[ClientView], headers={"Link": "`self`, and `next` to go on"})},
    ),
    Operation(
        id="createClient",
        method="POST",
        path=CLIENTS_PATH,
        tag="OAuth clients",
        summary="Create an OAuth client; its secret is told once, here",
        body=ClientBody,
        body_example=_CLIENT,
        answers={201: Answer("Created", body=ClientView)},
        refusals=_AT_CLIENTS,
        links=dict.fromkeys(("getClient", "replaceClient", "renewClientSecret"), ("clientId", "client_id")),
    ),
    Operation(
        id="getClient",
        method="GET",
        path=_ONE_CLIENT,
        tag="OAuth clients",
        summary="Retrieve an OAuth client",
        parameters=(_CLIENT_ID,),
        answers={200: Answer("The client", body=ClientView)},
    ),
    Operation(
        id="replaceClient",
        method="PUT",
        path=_ONE_CLIENT,
        tag="OAuth clients",
        summary="Replace an OAuth client",
        parameters=(_CLIENT_ID,),
        body=ClientBody,
        body_example=_CLIENT,
        answers={200: Answer("As it is now", body=ClientView)},
        refusals=_AT_CLIENTS,
    ),
    Operation(
        id="deleteClient",
        method="DELETE",
        path=_ONE_CLIENT,
        tag="OAuth clients",
        summary="Delete an OAuth client, its grants and its tokens",
        parameters=(_CLIENT_ID,),
        answers={204: Answer("Deleted")},
    ),
    Operation(
        id="renewClientSecret",
        method="POST",
        path=_ONE_CLIENT + "/lifecycle/newSecret",
        tag="OAuth clients",
        summary="Give a client a new secret, told once, here; the old one works no more",
        parameters=(_CLIENT_ID,),
        answers={200: Answer("With the secret", body=ClientView)},
        refusals=_AT_CLIENTS | {411: Answer("Neither a body nor a Content-Length")},
    ),
    Operation(
        id="listGrants",
        method="GET",
        path=GRANTS_PATH,
        tag="Grants",
        summary="The scopes that a service app was granted",
        parameters=(_APP_ID, Parameter("expand", "query", "`scope` to tell more of it")),
        answers={200: Answer("The grants", body=list[GrantView])},
    ),
    Operation(
        id="grantScope",
        method="POST",
        path=GRANTS_PATH,
        tag="Grants",
        summary="Grant a scope to a service app",
        parameters=(_APP_ID,),
        body=GrantBody,
        body_example=_GRANT,
        answers={
            200: Answer("Granted", body=GrantView),
            201: Answer("The same, where the org is set up to answer as the documentation says", body=GrantView),
        },
    ),
    Operation(
        id="getGrant",
        method="GET",
        path=GRANTS_PATH + "/{grantId}",
        tag="Grants",
        summary="Retrieve a grant",
        parameters=(_APP_ID, _GRANT_ID),
        answers={200: Answer("The grant", body=GrantView)},
    ),
    Operation(
        id="revokeGrant",
        method="DELETE",
        path=GRANTS_PATH + "/{grantId}",
        tag="Grants",
        summary="Revoke a grant",
        parameters=(_APP_ID, _GRANT_ID),
        answers={204: Answer("Revoked")},
    ),
    Operation(
        id="getToken",
        method="POST",
        path=TOKEN_PATH,
        tag="OAuth endpoints",
        asked_by="client",
        summary="Get an access token by client credentials",
        body=TokenRequest,
        body_media=FORM,
        body_example={"grant_type": "client_credentials", "client_id": "0oa4k2Yq8VfWn6Rsd0g7", "client_secret": "x"},
        answers={200: Answer("The token", body=TokenAnswer)},
        refusals=_AT_ENDPOINTS,
    ),
    Operation(
        id="introspectToken",
        method="POST",
        path=INTROSPECT_PATH,
        tag="OAuth endpoints",
        asked_by="client",
        summary="Whether a token is active, and what it says: RFC 7662",
        body=TokenQuestion,
        body_media=FORM,
        body_example={"token": "a.b.c", "client_id": "0oa4k2Yq8VfWn6Rsd0g7", "client_secret": "x"},
        answers={200: Answer("What it says", body=TokenState)},
        refusals=_AT_ENDPOINTS,
    ),
    Operation(
        id="revokeToken",
        method="POST",
        path=REVOKE_PATH,
        tag="OAuth endpoints",
        asked_by="client",
        summary="Revoke a token: RFC 7009",
        body=TokenQuestion,
        body_media=FORM,
        body_example={"token": "a.b.c", "client_id": "0oa4k2Yq8VfWn6Rsd0g7", "client_secret": "x"},
        answers={200: Answer("It is worth nothing now, whatever it was")},
        refusals=_AT_ENDPOINTS,
    ),
    Operation(
        id="getKeys",
        method="GET",
        path=KEYS_PATH,
        tag="OAuth endpoints",
        asked_by="anyone",
        summary="The public keys that access tokens are signed with",
        answers={200: Answer("The keys", body=KeySet)},
    ),
    *(
        Operation(
            id=f"get{name}{which}",
            method="GET",
            path=prefix + path,
            tag="OAuth endpoints",
            asked_by="anyone",
            summary="What clients find out by themselves: RFC 8414",
            parameters=parameters,
            answers={200: Answer("The metadata", body=dict[str, Any])},
        )
        for name, path in _METADATA
        for prefix, which, parameters in (
            ("", "", ()),
            (
                "/oauth2/{authorizationServerId}",
                "OfServer",
                (
                    Parameter(
                        "authorizationServerId", "path", "Any: there is one server", required=True, example="default"
                    ),
                ),
            ),
        )
    ),
)
