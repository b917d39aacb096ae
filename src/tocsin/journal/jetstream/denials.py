"""What a user may not do, as the servers say it: apart from the answer, which then never comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from tocsin.journal.protocol import JournalError

_log = structlog.get_logger("tocsin.journal")


class _Asking:
    """One that waits for an answer."""

    def __init__(self, subject: str) -> None:
        self.subject, self.denied = subject, ""
        self.limit: asyncio.Timeout

    def deny(self, text: str) -> None:
        if not self.denied:
            self.denied = text
            self.limit.reschedule(asyncio.get_running_loop().time())


class Denials:
    """Those of one link."""

    def __init__(self, where: str, inbox_prefix: str, role: str = "") -> None:
        """Answers are listened to below `inbox_prefix`; `role` is whose key the user has to show."""
        self._where, self._inboxes = where, f"{inbox_prefix}."
        self._hint = (
            f"it has to be the user of the role {role}, whose key is keys/{role}.nk where `tocsin fleet init` made it"
            if role
            else "give it the permissions of its role"
        )
        self._asking: list[_Asking] = []
        self._logged = set[str]()
        self._deaf = ""

    @asynccontextmanager
    async def told(self, subject: str) -> AsyncIterator[None]:
        """Wait for the answer to what is asked of `subject`. Raises: JournalError, as soon as the servers say no."""
        if self._deaf:
            raise JournalError(self._deaf, hint=self._hint)
        asking = _Asking(subject)
        try:
            async with asyncio.timeout(None) as asking.limit:
                self._asking.append(asking)
                try:
                    yield
                finally:
                    self._asking.remove(asking)
        except TimeoutError:
            if asking.denied:
                raise JournalError(asking.denied, hint=self._hint) from None
            raise

    def forget(self) -> None:
        """The server is gone; the next one may let this user listen."""
        self._deaf = ""

    def note(self, error: str) -> None:
        """What a server said."""
        if "permissions violation" not in error.lower() or error.count('"') < 2:
            return
        subject = error.split('"')[1].lower()
        listens = "subscription" in error.lower()
        is_deaf = listens and subject.startswith(self._inboxes.lower())
        concerned = [] if listens else [asking for asking in self._asking if asking.subject.lower() == subject]
        if is_deaf:
            subject, concerned = f"{self._inboxes}>", self._asking
        elif concerned:
            subject = concerned[0].subject
        text = f"this user may not {'listen to' if listens else 'ask'} {subject} of {self._where}"
        if is_deaf:
            self._deaf = text
        for asking in concerned:
            asking.deny(text)
        if not concerned and subject not in self._logged:
            self._logged.add(subject)
            _log.error("journal.denied", error=text, remedy=self._hint)
