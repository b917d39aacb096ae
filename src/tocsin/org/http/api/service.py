"""Operations about the org as a service: health, and this document."""

from typing import Any

from tocsin.org.http.access import HEALTH_PATH, OPENAPI_PATH
from tocsin.org.http.api.operation import Answer, Operation

SERVICE_OPERATIONS = (
    Operation(
        id="getHealth",
        method="GET",
        path=HEALTH_PATH,
        tag="Service",
        summary="Whether the process answers at all",
        answers={200: Answer("It does", body=dict[str, str])},
    ),
    Operation(
        id="getOpenApiDocument",
        method="GET",
        path=OPENAPI_PATH,
        tag="Service",
        summary="This document",
        answers={200: Answer("The OpenAPI 3.1 document of this org", body=dict[str, Any])},
    ),
)
