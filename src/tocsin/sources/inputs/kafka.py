"""Messages of a Kafka topic. The position is ours, not the broker's: the next offset of each partition."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from tocsin.signals import Batch
from tocsin.sources.config import SourceConfig
from tocsin.sources.errors import SourceError
from tocsin.sources.inputs.portions import Portions
from tocsin.sources.inputs.secrets import key_of
from tocsin.sources.source import Clock

_MOST_MESSAGES = 5_000
_WAIT_MS = 1_000
Offsets = dict[int, int]
"""By partition, the offset of the next message."""


class KafkaSource:
    """Reads all partitions of one topic."""

    def __init__(self, name: str, config: SourceConfig, *, clock: Clock) -> None:
        """Raises: SourceError, as `open_source`, and where the extra is not installed."""
        try:
            import aiokafka
        except ImportError:
            hint = "install it with the extra: tocsin[kafka]"
            raise SourceError("aiokafka, which speaks to Kafka, is not installed", hint=hint) from None
        self._kafka: Any = aiokafka
        self.name = name
        self._config, self._topic = config, str(config.topic)
        self._portions = Portions(name, config, clock)

    async def batches(self, position: bytes) -> AsyncIterator[Batch]:
        """See `Source`."""
        offsets = offsets_of(position)
        servers = str(self._config.kafka)
        # Without a group all partitions are ours, also those that are added later.
        consumer = self._kafka.AIOKafkaConsumer(self._topic, bootstrap_servers=servers, **self._options())
        try:
            await consumer.start()
            for partition in consumer.assignment():
                if partition.partition in offsets:
                    consumer.seek(partition, offsets[partition.partition])
            while True:
                taken = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST_MESSAGES)
                for partition, messages in taken.items():
                    after = {**offsets, partition.partition: messages[-1].offset + 1}
                    for batch in self._of(messages, offsets, after):
                        yield batch
                    offsets = after
        except self._kafka.errors.KafkaError as error:
            raise SourceError(
                f"{self._config.kafka}: {error or type(error).__name__}", hint="it is asked again"
            ) from None
        finally:
            with suppress(Exception):  # it is over, whatever the broker says to that
                await consumer.stop()

    def _of(self, messages: Sequence[Any], before: Offsets, after: Offsets) -> list[Batch]:
        portion = portion_of([message.value for message in messages])
        if not portion:
            return [Batch(source=self.name, claims=[], position=position_of(after))]
        self._portions.known_by(portion, f"what {self._topic} carries")
        # What a batch in the middle of a portion ends at is no message, so the position moves with the last.
        size, positions = len(portion), (position_of(before), position_of(after))
        return list(self._portions.batches(portion, lambda read: positions[read >= size]))

    def _options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "group_id": None}
        if (key := key_of(self._config)) is not None:
            import ssl

            options |= {
                "security_protocol": "SASL_SSL",
                "sasl_mechanism": "PLAIN",
                "sasl_plain_username": self._config.user or "token",
                "sasl_plain_password": key,
                "ssl_context": ssl.create_default_context(cafile=self._config.ca_file),
            }
        return options


def portion_of(values: Sequence[bytes | None]) -> bytes:
    """Messages as lines; a message without a value (a tombstone) is none."""
    return b"".join(value.rstrip(b"\n") + b"\n" for value in values if value)


def offsets_of(position: bytes) -> Offsets:
    """The offsets in a position; none where it is that of another kind of input."""
    try:
        return msgspec.json.decode(position, type=Offsets) if position else {}
    except msgspec.MsgspecError:
        return {}


def position_of(offsets: Mapping[int, int]) -> bytes:
    """As it is kept."""
    return msgspec.json.encode(dict(sorted(offsets.items())))
