"""Operations about the org as a service: health, metrics, and this document."""

from typing import Any

from tocsin.org.http.api.operation import Answer, Operation
from tocsin.org.http.health import HEALTH_PATH, READY_PATH, Standing
from tocsin.org.http.metrics import METRICS_PATH

OPENAPI_PATH = "/openapi.json"
TEXT = "text/plain"

SERVICE_OPERATIONS = (
    Operation(
        id="getHealth",
        method="GET",
        path=HEALTH_PATH,
        tag="Service",
        asked_by="anyone",
        summary="Whether the process answers at all",
        answers={200: Answer("It does", body=dict[str, str])},
    ),
    Operation(
        id="getReadiness",
        method="GET",
        path=READY_PATH,
        tag="Service",
        asked_by="anyone",
        summary="Whether the org can take events in, and answer with what it took in",
        answers={200: Answer("It can", body=Standing)},
        refusals={503: Answer("It cannot, and why", body=Standing)},
    ),
    Operation(
        id="getMetrics",
        method="GET",
        path=METRICS_PATH,
        tag="Service",
        summary="Counts, in the text form of Prometheus",
        answers={200: Answer("All of them", body=str, media=TEXT)},
    ),
    Operation(
        id="getOpenApiDocument",
        method="GET",
        path=OPENAPI_PATH,
        tag="Service",
        asked_by="anyone",
        summary="This document",
        answers={200: Answer("The OpenAPI 3.1 document of this org", body=dict[str, Any])},
    ),
)
