"""The org does what its OpenAPI document says: schemathesis asks it what the document allows, and what it does not."""

import os
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import schemathesis
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.engine import from_schema
from schemathesis.engine.events import FatalError, NonFatalError, ScenarioFinished
from schemathesis.specs.openapi.schemas import OpenApiSchema

from support.org import PROVIDERS, OrgProcess
from support.process import tocsin
from tocsin.org.http.risk import MAX_SEQ

pytestmark = pytest.mark.slow
EXAMPLES, SEED = int(os.environ.get("TOCSIN_SOAK_EXAMPLES", "20")), int(os.environ.get("TOCSIN_SOAK_SEED", "1"))
LIMITS = "[limits]\n" + "".join(
    f"{name} = 1000000\n" for name in ("risk_events", "logs", "clients", "grants", "token", "oauth", "api")
)
# Right by the schema, and refused for what a schema cannot say.
NOT_IN_THE_SCHEMA = (
    "An object with this field already exists in the current organization",
    "An organization may have at most",
    "The request contained multiple parameters with the same name",  # of a form
    '"error":"invalid_client_metadata"',  # what of a client goes with what
    "does not appear to be an IPv4 or IPv6 network",
    "has host bits set",
    '"errorCode":"E0000029"',  # a cursor that is not one
    '"errorCode":"E0000031"',  # a filter
    '"errorCode":"E0000053"',
    "Api validation failed: 'q'",
    '"errorCode":"E0000005"',  # no authorization is 403 at Okta's doors, not 401
)


@pytest.fixture
def unlimited(tmp_path: Any) -> Iterator[OrgProcess]:
    """An org with room for thousands of requests."""
    config = tmp_path / "org.toml"
    config.write_text(LIMITS)
    with OrgProcess(tmp_path / "data", "--config", str(config)) as process:
        yield process


@pytest.mark.timeout(36000 if EXAMPLES > 100 else 120)
def test_the_org_keeps_to_its_document(unlimited: OrgProcess) -> None:
    findings: list[str] = []
    cases = 0
    with unlimited.client(unlimited.token()) as client:
        for event in from_schema(_schema(unlimited, client)).execute():
            assert not isinstance(event, FatalError), event.exception
            if isinstance(event, NonFatalError):
                findings.append(str(event.value))
            if isinstance(event, ScenarioFinished):
                cases += len(event.recorder.cases)
                findings += _failures(event)
    assert findings == []
    assert cases > 20 * EXAMPLES
    assert unlimited.log.read_text() == ""


def _schema(org: OrgProcess, client: httpx2.Client) -> OpenApiSchema:
    generation = GenerationConfig(max_examples=EXAMPLES, database="none")
    project = ProjectConfig(generation=generation, max_stream_events=1)
    config = SchemathesisConfig(seed=SEED, projects=ProjectsConfig(default=project))
    # As an override, not in the project: there it would also go out with requests that are to have no authorization.
    key = tocsin("bouncer", "create", "schemathesis", "--data", str(org.data)).stdout.strip()
    credentials = {"Authorization": client.headers["authorization"], "X-Api-Key": key}
    config.projects.override.update(headers=credentials)
    schema = schemathesis.openapi.from_url(f"{org.url}/openapi.json", config=config)

    @schema.hook
    def map_case(_context: Any, case: Any) -> Any:
        after = str(case.query.get("after", ""))
        if after.isascii() and after.isdigit() and 1 < int(after[:30]) <= MAX_SEQ:
            case.query["after"] = 1  # the org would wait for what never comes
        return case

    @schema.hook
    def after_call(_context: Any, case: Any, response: Any) -> None:
        if case.operation.label == f"POST {PROVIDERS}" and response.status_code == 201:
            for provider in client.get(PROVIDERS).json()[1:-1]:
                client.delete(f"{PROVIDERS}/{provider['id']}")

    @schema.hook
    def filter_failure(_context: Any, failure: Failure, case: Any, response: Any) -> bool:
        if isinstance(case.body, dict) and case.body.get("clientId") == "null":
            return False  # the string that stands for none: right for the provider that never had one
        if response.status_code == 500 and case.path.startswith("/v1/decisions"):
            return '{"message":' not in response.text  # as CrowdSec answers to a filter that it cannot read
        return not any(text in response.text for text in NOT_IN_THE_SCHEMA)

    return schema


def _failures(event: ScenarioFinished) -> list[str]:
    found = [check.failure_info for checks in event.recorder.checks.values() for check in checks if check.failure_info]
    return [f"{event.label}: {one.failure.title}: {one.failure.message}\n{one.code_sample}" for one in found]
