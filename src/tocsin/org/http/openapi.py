"""The OpenAPI 3.1 document: what the table of operations says, with who may ask taken from the table of areas."""

from collections.abc import Iterable
from typing import Any

import msgspec

from tocsin import __version__
from tocsin.org.http.access import AREAS, area_of
from tocsin.org.http.api import OPERATIONS
from tocsin.org.http.api.errors import Error
from tocsin.org.http.api.operation import JSON, Answer, Operation
from tocsin.org.http.exchange import Exchange

_REF = "#/components/schemas/{name}"
_LIMIT_HEADERS = {
    "X-Rate-Limit-Limit": "Requests that the window allows",
    "X-Rate-Limit-Remaining": "Requests left in it after this one",
    "X-Rate-Limit-Reset": "Epoch second at which it ends, by the clock of `Date`",
}
_DESCRIPTION = """\
Takes risk events about IP addresses as Okta's API documents them, and says how risky an address is now, and why.

Errors of the API have the shape of `Error`; clients branch on `errorCode` alone. Objects that name a member twice are
refused, unknown members are ignored. Every GET may be a HEAD.
"""


_RESPONSES = {
    "BadRequest": "E0000001 a rule of a field is broken, E0000002 or E0000003 the request or its body is malformed, "
    "E0000019 and E0000021 Accept or Content-Type",
    "Unauthorized": "E0000011 unknown API token. A bad access token is answered with an empty body and "
    "WWW-Authenticate",
    "Forbidden": "E0000005 no authorization, E0000006 not permitted. An access token without the scope is answered "
    "with an empty body and WWW-Authenticate",
    "NotFound": "E0000007 no object has this id, E0000008 no such path",
    "TooSlow": "E0000003 the body did not come in time",
    "LengthRequired": "Neither a length nor chunks were told",
    "TooLarge": "E0000003 the body is too large",
    "TooManyRequests": "E0000047 the window of the rate limit is used up: wait for X-Rate-Limit-Reset",
    "Fault": "E0000009 a mistake of ours: its log has the request id",
    "ReadOnly": "E0000010 nothing can be written now, and nothing was accepted",
}


def document(base_url: str) -> dict[str, Any]:
    """The whole document, for an org that clients reach at `base_url`."""
    schemas, components = _schemas(OPERATIONS)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tocsin",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base_url}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {name: _response(name, text) for name, text in _RESPONSES.items()},
            "headers": {name: _header(text, int) for name, text in _LIMIT_HEADERS.items()},
            "securitySchemes": _security_schemes(base_url),
        },
    }


class Published:
    """The door to the document; it is made when it is first asked for."""

    def __init__(self, base_url: str) -> None:
        """`base_url` is where clients reach the org."""
        self._base_url = base_url
        self._body = b""

    async def tell(self, exchange: Exchange) -> None:
        """GET /openapi.json."""
        self._body = self._body or msgspec.json.encode(document(self._base_url))
        await exchange.answer(200, self._body)


class _Schemas:
    """The JSON schemas of types, by identity: the types themselves need not be hashable."""

    def __init__(self, types: list[Any], schemas: Iterable[dict[str, Any]]) -> None:
        self._by_id = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
        self._types = types  # kept alive, so that no id is used twice

    def of(self, kind: Any) -> dict[str, Any]:
        return self._by_id[id(kind)]


def _schemas(operations: Iterable[Operation]) -> tuple[_Schemas, dict[str, Any]]:
    types: list[Any] = [Error]
    for operation in operations:
        answers = [answer.body for told in (operation.answers, operation.refusals) for answer in told.values()]
        found = [operation.body, *answers, *(parameter.type for parameter in operation.parameters)]
        types += [kind for kind in found if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    return _Schemas(types, schemas), components


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": _security(operation),
    }
    if operation.parameters:
        told["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.where,
                "description": parameter.text,
                "required": parameter.required,
                "schema": schemas.of(parameter.type),
                **({} if parameter.example is None else {"example": parameter.example}),
            }
            for parameter in operation.parameters
        ]
    if operation.body is not None:
        content: dict[str, Any] = {"schema": schemas.of(operation.body)}
        if operation.body_example is not None:
            content["example"] = operation.body_example
        told["requestBody"] = {"required": True, "content": {operation.body_media: content}}
    told["responses"] = _responses(operation, schemas)
    return told


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    common = {status: {"$ref": f"#/components/responses/{name}"} for status, name in _refusals(operation).items()}
    own = {status: _answer(answer, operation, schemas) for status, answer in operation.refusals.items()}
    told = {status: _answer(answer, operation, schemas) for status, answer in operation.answers.items()} | common | own
    return {str(status): told[status] for status in sorted(told)}


def _refusals(operation: Operation) -> dict[int, str]:
    """The components that tell of each refusal which is not the operation's own, by status."""
    if operation.asked_by in ("bouncer", "client"):
        return {}
    found = {400: "BadRequest", 500: "Fault"}
    if "{" in operation.path:
        found[404] = "NotFound"
    if operation.asked_by != "anyone":
        found |= {401: "Unauthorized", 403: "Forbidden", 503: "ReadOnly"}
    if area_of(operation.path).bucket is not None:
        found[429] = "TooManyRequests"
        if operation.body is not None:
            found[411] = "LengthRequired"
    if operation.body is not None:
        found |= {408: "TooSlow", 413: "TooLarge"}
    return found


def _answer(answer: Answer, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {"description": answer.text}
    headers = {name: _header(text, str) for name, text in answer.headers.items()}
    if area_of(operation.path).bucket is not None:
        headers |= {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS}
    if headers:
        told["headers"] = headers
    if answer.body is not None:
        told["content"] = {answer.media: {"schema": schemas.of(answer.body)}}
    if operation.links and answer in operation.answers.values():
        told["links"] = {
            other: {"operationId": other, "parameters": {parameter: f"$response.body#/{member}"}}
            for other, (parameter, member) in operation.links.items()
        }
    return told


def _response(name: str, text: str) -> dict[str, Any]:
    told: dict[str, Any] = {"description": text}
    if name != "LengthRequired":
        told["content"] = {JSON: {"schema": {"$ref": _REF.format(name="Error")}}}
    if name == "TooManyRequests":
        told["headers"] = {header: {"$ref": f"#/components/headers/{header}"} for header in _LIMIT_HEADERS}
    return told


def _header(text: str, kind: type) -> dict[str, Any]:
    return {"description": text, "schema": msgspec.json.schema(kind)}


def _security(operation: Operation) -> list[dict[str, list[str]]]:
    if operation.asked_by == "anyone":
        return []
    if operation.asked_by == "bouncer":
        return [{"bouncerKey": []}]
    if operation.asked_by == "client":
        return [{"clientSecret": []}, {}]  # or in the form
    need = area_of(operation.path).need(operation.method)
    by_scope: list[dict[str, list[str]]] = [{"oauth2": [need.scope]}] if need.scope is not None else []
    return [{"apiToken": []}, *by_scope]


def _security_schemes(base_url: str) -> dict[str, Any]:
    scopes = sorted({need.scope for area in AREAS for need in (area.read, area.manage) if need.scope is not None})
    return {
        "apiToken": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`SSWS ` and an API token, which `tocsin token create` prints",
        },
        "bouncerKey": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Api-Key",
            "description": "A key that `tocsin bouncer create` prints",
        },
        "clientSecret": {"type": "http", "scheme": "basic", "description": "A client's id and secret"},
        "oauth2": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": f"{base_url}/oauth2/v1/token",
                    "scopes": {scope: f"What needs {scope}" for scope in scopes},
                }
            },
        },
    }
