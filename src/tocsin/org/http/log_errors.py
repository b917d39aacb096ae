"""Refusals of the System Log: as others, but without errorLink and with a UUID for errorId. Source: spec 5.7."""

import uuid
from collections.abc import Sequence

import msgspec

from tocsin.org.http.errors import Refusal
from tocsin.org.log.filters.parser import BadFilter, FieldRefused
from tocsin.org.log.keywords import BadKeywords
from tocsin.org.log.query import BadCursor, LogTimeout


class LogRefusal(Refusal):
    """A refusal whose body has the log's own form."""

    def body(self) -> bytes:
        """The JSON body, each time with an error id of its own."""
        return msgspec.json.encode(
            {
                "errorCode": self.code,
                "errorSummary": str(self),
                "errorId": str(uuid.uuid4()),
                "errorCauses": [{"errorSummary": cause} for cause in self.causes],
            }
        )


def parameter_refused(name: str, texts: Sequence[str]) -> LogRefusal:
    """400 for a parameter that is not as it must be; all of `texts` say why."""
    summary = ". ".join(f"'{name}': {text}" for text in texts)
    causes = [f"{name}: {text}" for text in texts]
    return LogRefusal(400, "E0000001", f"Api validation failed: {summary}", causes=causes)


def since_too_old() -> LogRefusal:
    """400 for a query that begins too long ago."""
    text = "Invalid parameter: The since parameter is over 180 days prior to the current day."
    return LogRefusal(400, "E0000053", text)


def log_refusal(error: BadFilter | BadKeywords | BadCursor | LogTimeout) -> LogRefusal:
    """What to answer when a query cannot be read or answered."""
    match error:
        case FieldRefused():
            return LogRefusal(400, "E0000031", str(error))
        case BadFilter():
            return LogRefusal(400, "E0000053", str(error))
        case BadKeywords():
            return parameter_refused("q", [str(error)])
        case BadCursor():
            return LogRefusal(400, "E0000029", "Invalid paging request.", causes=[str(error)])
        case LogTimeout():
            return LogRefusal(500, "E0000009", str(error))
