"""Writes docs/sdk/ and docs/openapi.json from the code. `--check` only compares.

The document is made of the org's table of operations, the pages of the SDK's, and of its models' fields and methods.
They have the shape of those that Okta's generated client ships, so that links and habits carry over.
"""

import json
import re
import sys
from enum import Enum
from pathlib import Path

from tocsin import okta
from tocsin.okta.config_keys import KEYS
from tocsin.okta.models.json_object import Field, JsonObject
from tocsin.okta.operations import ANSWERS, OPERATIONS, Operation
from tocsin.okta.settings import DEFAULT_HOST
from tocsin.org.http.openapi import document

PAGES = Path(__file__).parent / "sdk"
OPENAPI = Path(__file__).parent / "openapi.json"
FOOTER = (
    "[[Back to top]](#) [[Back to API list]](README.md#documentation-for-api-endpoints) "
    "[[Back to Model list]](README.md#documentation-for-models) [[Back to README]](README.md)"
)
MODELS: dict[str, type[JsonObject] | type[Enum]] = {
    name: value
    for name in okta.__all__
    if isinstance(value := getattr(okta, name), type) and issubclass(value, JsonObject | Enum)
}
RISK_PROVIDER_ID = ("risk_provider_id", "str", "`id` of the Risk Provider object", "'00rp12r4skkjkjgsn'")

EXAMPLE = """\
import os

import okta
{imports}from okta.rest import ApiException
from pprint import pprint

# Defining the host is optional and defaults to https://subdomain.okta.com
# See configuration.py for a list of all supported configuration parameters.
configuration = okta.Configuration(
    host = "https://subdomain.okta.com"
)

# The client must configure the authentication and authorization parameters
# in accordance with the API server security policy.
# Examples for each auth method are provided below, use the example that
# satisfies your auth use case.

# Configure API key authorization: apiToken
configuration.api_key['apiToken'] = os.environ["API_KEY"]

# Uncomment below to setup prefix (e.g. Bearer) for API key, if needed
# configuration.api_key_prefix['apiToken'] = 'Bearer'

configuration.access_token = os.environ["ACCESS_TOKEN"]

# Enter a context with an instance of the API client
with okta.ApiClient(configuration) as api_client:
    # Create an instance of the API class
    api_instance = okta.{api}(api_client)
{arguments}
    try:
        # {summary}
{call}
    except Exception as e:
        print("Exception when calling {api}->{name}: %s\\n" % e)
"""

README = """\
# The SDK

`import okta` (distribution `tocsin-okta`) or `from tocsin import okta`: the same names. All URIs are relative to
*{host}*. Pages, names and parameters are those of Okta's generated client; what is ours is said below.

## Documentation for API endpoints

Class | Method | HTTP request | Description
------------ | ------------- | ------------- | -------------
{endpoints}

Each method has two twins, `..._with_http_info` (an `ApiResponse` with `status_code`, `headers`, `data`, `raw_data`) and
`..._without_preload_content` (the `RESTResponse` as it came, raised for no status), and takes for one call:

Name | Description
------------- | -------------
**_request_timeout** | Seconds to connect and for every read of the answer: one number, or a pair (connect, read)
**_request_auth** | An entry like those of `Configuration.auth_settings()` to use instead; `{{}}` sends no credential
**_content_type** | The Content-Type to send
**_headers** | Headers to add, or to send in place of those with the same name
**_host_index** | 0: each operation has one host

## Documentation for models

{models}

## Documentation for authorization

<a id="apiToken"></a>
### apiToken

- **Type**: API key
- **API key parameter name**: Authorization
- **Location**: HTTP header

`configuration.api_key['apiToken']` goes out as `Authorization: SSWS <token>`, or after another word than SSWS when
`configuration.api_key_prefix['apiToken']` is set.

<a id="oauth2"></a>
### oauth2

- **Type**: OAuth
- **Scopes**:
{scopes}

`configuration.access_token` goes out as `Authorization: Bearer <token>`, and wins over an API key when both are set.
`configuration.token_source` takes an object that fetches tokens; a token refused with 401 is renewed once.

With the id and the private key of a service app, tokens are fetched for you:

```python
configuration = okta.Configuration(
    host="https://subdomain.okta.com",
    client_id="0oa4k2Yq8VfWn6Rsd0g7",
    private_key="app.pem",  # or PEM text, or a JWK as a dict or as text
    private_key_id="k-2026",  # of a JWK its own when absent
    scopes=["okta.riskEvents.manage"],
)
```

- **One token for all.** Every client, thread and task that uses the configuration shares it. It is fetched by one of
  them while the others wait, renewed at 80 % of its life while the others go on with the old one, and renewed once
  when a call is answered 401. A fetch that fails raises in all that waited for it; the next call tries again.
- **Scopes.** Okta leaves out scopes that are not granted to the app, and says nothing. Here that is logged, and a call
  that needs one of them raises `MissingScopeException`, which names it, without being sent.
- **DPoP** (RFC 9449). For an app that requires it, which is what Okta's console sets for new ones, the client changes
  over by itself: proofs, nonces, and tokens bound to a key that lives in memory only. `dpop=True` proves from the first
  request on, and refuses a token that is not bound.
- **Clocks.** An assertion is good for five minutes of the org's time. When our clock is off, the org's `Date` mends it.
- **Refusals.** `TokenException` has the OAuth error as `error_code`, its sentence as `error_description`, and says in
  `hint` what to do. A 429 of the token endpoint is waited out like any other. `about_token` of an error is True when it
  came of getting a token: a 400 then says nothing about the call.

A credential is never sent over plain http to a host that is not loopback (`allow_insecure_http` permits it), nor after
a redirect to another host (`allow_cross_host_redirects` permits it).

## Settings

{settings}

### From okta.yaml and the environment

`okta.Configuration()` reads no file and no environment. `okta.Configuration.from_environment()` reads what Okta's own
SDKs read, each setting from the first of these that has it:

1. the arguments given to it, those of `Configuration` itself;
2. environment variables, such as `OKTA_CLIENT_ORGURL`;
3. `okta.yaml` in the current directory;
4. `.okta/okta.yaml` in the home directory.

okta.yaml | Environment | Setting
--- | --- | ---
{chain}

```yaml
okta:
  client:
    orgUrl: https://subdomain.okta.com
    authorizationMode: PrivateKey
    clientId: 0oa4k2Yq8VfWn6Rsd0g7
    scopes: [okta.riskEvents.manage]
    privateKey: app.pem
    kid: k-2026
```

Names are read in any case, with or without underscores between words. What is for other SDKs is passed over.

The credential is chosen by `authorizationMode`; where that is not said, `token` or `privateKey`, whichever the first of
those sources has, and `token` when it has both. When one is among the arguments, none is read. A credential that stands
beside the URL of one org is never sent to another: that is an error which names both.

## Errors

```text
{errors}
```

## Retries

Answers 429 and 5xx are followed by up to `retries` (2) more attempts. The wait is until the end of the rate window by
the clock of the org (`X-Rate-Limit-Reset` less `Date`, and one second), else what `Retry-After` says, else a backoff
with jitter. When the org asks for more than `max_retry_wait_s`, its answer is raised at once. A fault while a provider
is created is not repeated, since it may have been created.

`api_client.last_response.rate_limit` has the rate headers of the last answer: `limit`, `remaining` and `reset`, each
None when the org did not send it.

## Async

`AsyncApiClient` with `AsyncRiskEventApi` and `AsyncRiskProviderApi`: the same methods, awaited.

```python
async with okta.AsyncApiClient(configuration) as api_client:
    await okta.AsyncRiskEventApi(api_client).send_risk_events(events)
```
"""


def pages() -> dict[str, str]:
    """Every page: file name and text."""
    apis = {operation.api for operation in OPERATIONS}
    written = {f"{api}.md": api_page(api) for api in apis}
    written |= {f"{name}.md": model_page(name, model) for name, model in MODELS.items()}
    return written | {"README.md": readme()}


def openapi() -> str:
    """The document that an org on its usual port serves at /openapi.json, with a line for each thing."""
    return json.dumps(document("http://127.0.0.1:8420"), indent=2, ensure_ascii=False) + "\n"


def api_page(api: str) -> str:
    operations = [operation for operation in OPERATIONS if operation.api == api]
    rows = [f"{link(op)} | **{op.method}** {op.path} | {op.summary}" for op in operations]
    head = [
        f"# okta.{api}",
        "",
        f"All URIs are relative to *{DEFAULT_HOST}*",
        "",
        "Method | HTTP request | Description",
        "------------- | ------------- | -------------",
        *rows,
        "",
        "",
    ]
    return "\n".join(head) + "\n".join(operation_section(operation) for operation in operations)


def operation_section(op: Operation) -> str:
    arguments = parameters(op)
    returns = f"{op.returns} " if op.returns else ""
    listed = [f" **{name}** | {linked(kind, '**')}| {text} | " for name, kind, text, _ in arguments]
    table = ["Name | Type | Description  | Notes", " | ".join(["-------------"] * 4)]
    statuses = [f"**{status}** | {ANSWERS[status]} |  -  |" for status in op.statuses]
    return "\n".join(
        [
            f"# **{op.name}**",
            f"> {returns}{op.name}({', '.join(name for name, *_ in arguments)})",
            "",
            op.summary,
            "",
            op.description,
            "",
            "### Example",
            "",
            "* Api Key Authentication (apiToken):",
            "* OAuth Authentication (oauth2):",
            "",
            "```python",
            example(op) + "```",
            "",
            "",
            "",
            "### Parameters",
            "",
            *(["", *table, *listed] if listed else ["This endpoint does not need any parameter."]),
            "",
            "### Return type",
            "",
            linked(op.returns, "**").strip() if op.returns else "void (empty response body)",
            "",
            "### Authorization",
            "",
            "[apiToken](README.md#apiToken), [oauth2](README.md#oauth2)",
            "",
            "### HTTP request headers",
            "",
            f" - **Content-Type**: {'application/json' if op.body else 'Not defined'}",
            " - **Accept**: application/json",
            "",
            "### HTTP response details",
            "",
            "| Status code | Description | Response headers |",
            "|-------------|-------------|------------------|",
            *statuses,
            "",
            FOOTER,
            "",
        ]
    )


def link(op: Operation) -> str:
    return f"[**{op.name}**]({op.api}.md#{op.name})"


def parameters(op: Operation) -> list[tuple[str, str, str, str]]:
    """Name, type, description and the value in the example of each argument of a method."""
    found = [RISK_PROVIDER_ID] if "{" in op.path else []
    if op.body:
        model = bare(op.body)
        found.append(("instance", op.body, "", f"[okta.{model}()]" if op.body != model else f"okta.{model}()"))
    return found


def example(op: Operation) -> str:
    arguments = parameters(op)
    model = op.body or op.returns
    call = f"api_instance.{op.name}({', '.join(name for name, *_ in arguments)})"
    lines = [call]
    if op.returns:
        said = f'print("The response of {op.api}->{op.name}:\\n")'
        lines = [f"api_response = {call}", said, "pprint(api_response)"]
    return EXAMPLE.format(
        api=op.api,
        name=op.name,
        summary=op.summary,
        imports=f"from okta.models.{snake(bare(model))} import {bare(model)}\n" if model else "",
        arguments="".join(f"    {name} = {value} # {kind} | {text}\n" for name, kind, text, value in arguments),
        call="\n".join(f"        {line}" for line in lines),
    )


def model_page(name: str, model: type[JsonObject] | type[Enum]) -> str:
    lines = [f"# {name}", "", first_paragraph(model), ""]
    if issubclass(model, JsonObject):
        table = ["Name | Type | Description | Notes", " | ".join(["-------------"] * 4)]
        rows = [row(field) for field in model.FIELDS.values()]
        lines += ["## Properties", "", *table, *rows, "", "## Example", "", "```python", model_example(name) + "```"]
    else:
        lines += ["## Values", "", *[f"* `{member.name}` (value: `'{member.value}'`)" for member in model]]
    return "\n".join([*lines, "", FOOTER, ""])


def model_example(name: str) -> str:
    word = snake(name)
    return f"""\
from okta.models.{word} import {name}

json = "{{}}"
# create an instance of {name} from a JSON string
{word}_instance = {name}.from_json(json)
# print the JSON string representation of the object
print({word}_instance.to_json())

# convert the object into a dict
{word}_dict = {word}_instance.to_dict()
# create an instance of {name} from a dict
{word}_from_dict = {name}.from_dict({word}_dict)
"""


def readme() -> str:
    endpoints = [f"*{op.api}* | {link(op)} | **{op.method}** {op.path} | {op.summary}" for op in OPERATIONS]
    return README.format(
        host=DEFAULT_HOST,
        endpoints="\n".join(endpoints),
        models="\n".join(f" - [{name}]({name}.md)" for name in MODELS),
        settings=settings(),
        scopes=scopes(),
        chain=chain(),
        errors=error_tree(),
    )


def settings() -> str:
    """The arguments of Configuration, from its docstring."""
    text = (okta.Configuration.__doc__ or "").partition("Args:\n")[2]
    joined = re.sub(r"\n {12,}", " ", text.rstrip())
    entries = [line.strip().partition(": ") for line in joined.splitlines()]
    return "\n".join(["Name | Description", "--- | ---", *[f"**{name}** | {said}" for name, _, said in entries]])


def scopes() -> str:
    """Each scope with the methods that need it."""
    needed = dict.fromkeys(op.scope for op in OPERATIONS)
    return "\n".join(
        f"  - `{scope}`: {', '.join(op.name for op in OPERATIONS if op.scope == scope)}" for scope in needed
    )


def chain() -> str:
    """What is read of okta.yaml and the environment."""
    return "\n".join(f"`{key.path}` | `{key.variable}` | {key.meaning}" for key in KEYS)


def error_tree() -> str:
    """The drawing at the top of the module of exceptions."""
    text = sys.modules["tocsin.okta.exceptions"].__doc__ or ""
    return text.partition("\n\n")[2].rstrip()


def row(field: Field) -> str:
    return f"**{field.name}** | {linked(field.type_name, '**')}| {field.description} | {field.notes}".rstrip() + " "


def linked(kind: str, mark: str) -> str:
    """A type as the pages print it: bold, and a link when it is one of our models."""
    shown = f"{mark}{kind}{mark}"
    return f"[{shown}]({bare(kind)}.md) " if bare(kind) in MODELS else f"{shown} "


def bare(kind: str) -> str:
    """`RiskEvent` for `List[RiskEvent]`."""
    return kind.removeprefix("List[").removesuffix("]")


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def first_paragraph(model: type) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0]


def main() -> int:
    """Write the pages that differ; with --check write nothing and exit 1 when there are any."""
    check = "--check" in sys.argv[1:]
    wanted = {PAGES / name: text for name, text in pages().items()} | {OPENAPI: openapi()}
    found = {path: path.read_text(encoding="utf-8") for path in (*PAGES.glob("*.md"), OPENAPI) if path.exists()}
    stale = sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
    for path in stale:
        print(f"{path.relative_to(PAGES.parents[1])} {'is stale: run `make docs`' if check else 'written'}")
        if not check and path in wanted:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        elif not check:
            path.unlink()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
