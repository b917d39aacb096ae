"""Messages of a Kafka topic. The position is ours, not the broker's: the next offset of each partition."""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import msgspec

from tocsin.signals import Batch, Skipped, SkipReason
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
        consumer = self._kafka.AIOKafkaConsumer(bootstrap_servers=str(self._config.kafka), **self._options())
        try:
            with _causes() as causes:
                try:
                    await consumer.start()
                except self._kafka.errors.KafkaError as error:
                    raise self._gone(causes[-1] if causes else error) from None
            if self._topic not in await consumer.topics():
                hint = "check its name, and whether this user may read it; it is asked again"
                raise SourceError(f"{self._config.kafka} has no topic {self._topic}", hint=hint)
            partitions = set[int]()
            while True:
                if partitions != (now := consumer.partitions_for_topic(self._topic) or partitions):
                    partitions = set(now)  # also where some were added
                    offsets, lost = await self._begin(consumer, partitions, offsets)
                    if lost:
                        yield Batch(source=self.name, claims=[], skipped=lost, position=position_of(offsets))
                taken = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MOST_MESSAGES)
                for partition, messages in taken.items():
                    after = {**offsets, partition.partition: messages[-1].offset + 1}
                    for batch in self._of(messages, offsets, after):
                        yield batch
                    offsets = after
        except self._kafka.errors.KafkaError as error:
            raise self._gone(error) from None
        finally:
            with suppress(Exception):  # it is over, whatever the broker says to that
                await consumer.stop()

    def _gone(self, why: object) -> SourceError:
        text = f"{self._config.kafka}: {why or type(why).__name__}"
        return SourceError(text, hint="check servers, key and ca_file; it is asked again")

    async def _begin(self, consumer: Any, partitions: set[int], offsets: Offsets) -> tuple[Offsets, list[Skipped]]:
        """Have each partition read on from where it was, or from its start; and what it no longer holds."""
        ours = {number: self._kafka.TopicPartition(self._topic, number) for number in sorted(partitions)}
        consumer.assign([*ours.values()])
        firsts = await consumer.beginning_offsets([*ours.values()])
        ends = await consumer.end_offsets([*ours.values()])
        lost = list[Skipped]()
        for number, partition in ours.items():
            at, first = offsets.get(number, firsts[partition]), firsts[partition]
            if at < first or at > ends[partition]:  # older than what is kept, or of a topic that was made anew
                detail = f"partition {number} of {self._topic} was read up to {at:,}, and begins at {first:,} now"
                lost.append(Skipped(SkipReason.CUT_OFF, at, f"{detail}: what was between is not read", ""))
                at = first
            consumer.seek(partition, at)
            offsets = {**offsets, number: at}
        return offsets, lost

    def _of(self, messages: Sequence[Any], before: Offsets, after: Offsets) -> list[Batch]:
        portion = portion_of([message.value for message in messages])
        if not portion:
            return [Batch(source=self.name, claims=[], position=position_of(after))]
        self._portions.known_by(portion, f"what {self._topic} carries")
        # What a batch in the middle of a portion ends at is no message, so the position moves with the last.
        size, positions = len(portion), (position_of(before), position_of(after))
        return list(self._portions.batches(portion, lambda read: positions[read >= size]))

    def _options(self) -> dict[str, Any]:
        # Where to begin is said by us, so that nothing is passed over without a word.
        options: dict[str, Any] = {"enable_auto_commit": False, "auto_offset_reset": "none", "group_id": None}
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


class _Causes(logging.Handler):
    """Why no broker was reached: aiokafka says that in its log alone."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _causes() -> Iterator[list[str]]:
    handler, log = _Causes(), logging.getLogger("aiokafka")
    log.addHandler(handler)
    try:
        yield handler.said
    finally:
        log.removeHandler(handler)


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
