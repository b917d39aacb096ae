"""The client of `nats-py`, stricter. Imported only where the extra is needed."""

from nats.aio.client import Client, Srv
from nats.errors import Error

from tocsin.journal.jetstream.asking import heeding_cancellation


class StrictClient(Client):
    """
    Says nothing to a server that was to speak TLS and does not: nats-py would go on in clear text.

    Waits for nothing of a connection that it leaves: nats-py would wait until a server that hangs has taken what is
    on its way to it, and leave open what came to nothing.
    """

    def abort(self) -> None:
        """End the connection to the server. What has not been sent is lost."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    def _connect_command(self) -> bytes:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise Error(f"{server.uri.netloc} does not speak TLS")
        return super()._connect_command()

    async def _connect_to_server(self, s: Srv) -> None:
        self.abort()
        with heeding_cancellation():  # else it would try again for ever
            await super()._connect_to_server(s)

    async def _process_connect_init(self) -> None:
        with heeding_cancellation():
            await super()._process_connect_init()

    async def _attempt_reconnect(self) -> None:
        self.abort()
        await super()._attempt_reconnect()
