"""The client of `nats-py`, but that `tls://` is kept to. Imported only where the extra is needed."""

from nats.aio.client import Client, Srv
from nats.errors import Error


class StrictClient(Client):
    """Says nothing to a server that was to speak TLS and does not: nats-py would go on in clear text."""

    def _connect_command(self) -> bytes:
        server = self._current_server
        if server is not None and server.uri.scheme == "tls" and not self._server_info.get("tls_required"):
            raise Error(f"{server.uri.netloc} does not speak TLS")
        return super()._connect_command()

    async def _connect_to_server(self, s: Srv) -> None:
        if self._transport:  # of an attempt that came to nothing; nats-py would let it lie open
            self._transport.close()  # type: ignore[no-untyped-call]
        await super()._connect_to_server(s)
