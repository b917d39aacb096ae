"""Every operation of the org. The OpenAPI document is made from this table, and tests hold the doors to it."""

from tocsin.org.http.api.crowdsec import CROWDSEC_OPERATIONS
from tocsin.org.http.api.decisions import DECISION_OPERATIONS
from tocsin.org.http.api.logs import LOG_OPERATIONS
from tocsin.org.http.api.oauth import OAUTH_OPERATIONS
from tocsin.org.http.api.operation import Operation
from tocsin.org.http.api.risk import RISK_OPERATIONS
from tocsin.org.http.api.service import OPENAPI_PATH, SERVICE_OPERATIONS

__all__ = ["OPENAPI_PATH", "OPERATIONS"]

OPERATIONS: tuple[Operation, ...] = (
    *RISK_OPERATIONS,
    *OAUTH_OPERATIONS,
    *LOG_OPERATIONS,
    *DECISION_OPERATIONS,
    *CROWDSEC_OPERATIONS,
    *SERVICE_OPERATIONS,
)
