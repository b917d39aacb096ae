"""What stops a relay. What was not delivered is still in the caller's hands: nothing is lost."""

from tocsin.errors import TocsinError


class RelayError(TocsinError):
    """A target cannot be served, or there is nothing to serve it with."""


class LeaseLost(RelayError):
    """Another worker has, or may have by now, what this one had. Nothing was sent or written."""


class TargetPaused(RelayError):
    """`target` gave a reason to stop sending to it; `hint` says how to go on."""

    def __init__(self, target: str, *, reason: str, remedy: str) -> None:
        self.target, self.reason = target, reason
        super().__init__(f"sending to {target} has stopped: {reason}", hint=remedy or None)
