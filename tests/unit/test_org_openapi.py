"""The OpenAPI document: valid, published, and about exactly what is there."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tocsin.org.folder import DataFolder
from tocsin.org.http.access import AREAS
from tocsin.org.http.api import OPERATIONS
from tocsin.org.http.front import Front
from tocsin.org.http.openapi import document
from tocsin.org.opening import open_org
from tocsin.org.running import at_work

DOCS = Path(__file__).parents[2] / "docs"
URL = "https://org.example"


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with open_org(DataFolder.open(tmp_path / "data")) as org, at_work(org):
        yield Front(org, base_url=URL)


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(document(URL)).validate()


def test_the_published_one_is_up_to_date() -> None:
    published = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    assert published == json.loads(json.dumps(document("http://127.0.0.1:8420"))), "run `make docs`"


async def test_it_is_served_to_anyone(front: Front) -> None:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(front), base_url=URL) as client:
        answer = await client.get("/openapi.json")
    assert answer.json() == json.loads(json.dumps(document(URL)))
    assert answer.headers["content-type"] == "application/json"


async def test_every_route_is_in_it_and_nothing_else(front: Front) -> None:
    told = {(operation.method, re.sub(r"\{\w+\}", "{}", operation.path)) for operation in OPERATIONS}
    assert front.routes() == told


def test_ids_are_unique_and_links_lead_to_one() -> None:
    ids = [operation.id for operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert {other for operation in OPERATIONS for other in operation.links} <= set(ids)


def test_every_value_in_a_path_is_a_parameter() -> None:
    for operation in OPERATIONS:
        named = {parameter.name for parameter in operation.parameters if parameter.where == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", operation.path)), operation.id


def test_who_may_ask_is_what_the_table_of_areas_says() -> None:
    paths = document(URL)["paths"]
    assert paths["/healthz"]["get"]["security"] == []
    assert paths["/api/v1/risk/events/ip"]["post"]["security"] == [
        {"apiToken": []},
        {"oauth2": ["okta.riskEvents.manage"]},
    ]
    scopes = document(URL)["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"]
    assert set(scopes) == {need.scope for area in AREAS for need in (area.read, area.manage)} - {None}
