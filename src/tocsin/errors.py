"""The root of every error Tocsin raises on purpose.

    TocsinError
    ├── signals.InvalidSignals        what was to be sent or was received breaks the rules of the pipe
    ├── journal.JournalError          the journal cannot be opened, read or written
    │   ├── journal.JournalConflict     another writer was quicker
    │   └── journal.JournalUnreachable  no quorum of a replicated journal answers
    ├── okta.OpenApiException         the SDK's tree (okta/exceptions.py), shaped like the documented one
    ├── okta.fetching.FetchFailed     a document that did not come over HTTP
    ├── org.OrgError                  a data folder, token or provider that is not as it should be
    ├── relay.RelayError              a target that cannot be served
    └── sources.SourceError           an input that cannot be read

Each class lives beside what raises it; this drawing is the one list of them.
"""


class TocsinError(Exception):
    """Something a person can mend. `str(error)` is one line that says what happened and what was not lost."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """`hint` is one line that says what to do next; the command line prints it under the error."""
        self.hint = hint
        super().__init__(message)

    @property
    def summary(self) -> str:
        """All of it in one line, for a terminal or a log; the SDK's `str` has several, as its page shows."""
        return str(self)
