"""The one operation on the System Log. Source: spec 5."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from tocsin.org.http.api.errors import ErrorCause
from tocsin.org.http.api.operation import Answer, Operation, Parameter
from tocsin.org.http.logs import LOGS_PATH
from tocsin.org.log.query import MOST_PER_PAGE, PER_PAGE

_TIME = "ISO 8601; without an offset it is UTC"
_Time = Annotated[str, Meta(extra_json_schema={"anyOf": [{"format": "date-time"}, {"const": ""}]})]


class LogError(Struct, rename="camel"):
    """A refusal of the System Log: like the others, without `errorLink`."""

    error_code: str
    error_summary: str
    error_id: str
    """A UUID."""
    error_causes: list[ErrorCause]


LOG_OPERATIONS = (
    Operation(
        id="listLogEvents",
        method="GET",
        path=LOGS_PATH,
        tag="System Log",
        summary="A page of the System Log",
        parameters=(
            Parameter("since", "query", f"Not before this. {_TIME}", _Time),
            Parameter("until", "query", f"Before this; with it the query is bounded. {_TIME}", _Time),
            Parameter("after", "query", "Where a page goes on: take it from a `next` link only"),
            Parameter("filter", "query", "A filter expression", example='eventType eq "security.risk.signal.consume"'),
            Parameter("q", "query", "Keywords, all of which must be there"),
            Parameter(
                "limit",
                "query",
                f"Events on a page; {PER_PAGE} when absent",
                Annotated[int, Meta(ge=0, le=MOST_PER_PAGE)],
            ),
            Parameter("sortOrder", "query", "`ASCENDING` when absent", Literal["ASCENDING", "DESCENDING"]),
        ),
        answers={
            200: Answer("The events", body=list[dict[str, Any]], headers={"Link": "`self`, and `next` to go on"}),
        },
        refusals={
            400: Answer(
                "E0000001 a parameter, E0000029 the cursor, E0000031 and E0000053 the filter cannot be used",
                body=LogError,
            ),
        },
    ),
)
