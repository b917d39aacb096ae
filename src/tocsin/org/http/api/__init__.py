"""Every operation of the org. The OpenAPI document is made from this table, and tests hold the doors to it."""

from tocsin.org.http.api.operation import Operation
from tocsin.org.http.api.risk import RISK_OPERATIONS
from tocsin.org.http.api.service import SERVICE_OPERATIONS

__all__ = ["OPERATIONS", "allowed_methods"]

OPERATIONS: tuple[Operation, ...] = (*RISK_OPERATIONS, *SERVICE_OPERATIONS)


def allowed_methods(path: str) -> list[str]:
    """The methods that a request to `path` may have, in alphabetical order; none for an unknown path."""
    found = [operation.methods for operation in OPERATIONS if operation.pattern.fullmatch(path)]
    return sorted({method for methods in found for method in methods})
