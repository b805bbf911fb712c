"""Kafka through confluent-kafka, whose C library fetches and checks several times faster than kafka-python."""

from __future__ import annotations

import logging
from itertools import groupby
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from workbench import config
from workbench.errors import SourceError
from workbench.ingest.base import Bounds, Fetched, partition_of, source_of
from workbench.ingest.kafka import LONGEST, damage_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import datetime

    from workbench.config import KafkaSettings
    from workbench.ingest.base import Listener

TIMEOUT: Final = 5.0
MAX_RECORDS: Final = 20_000
_FATAL: Final = {
    KafkaError._AUTHENTICATION,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    KafkaError.INVALID_SESSION_TIMEOUT,
    KafkaError._FATAL,
    KafkaError._SSL,
}
_TORN: Final = {
    KafkaError._BAD_MSG,
    KafkaError._BAD_COMPRESSION,
    KafkaError._NOT_IMPLEMENTED,
    KafkaError._UNDERFLOW,
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError.OFFSET_OUT_OF_RANGE,
}
_log = logging.getLogger(__name__)


class KafkaSource:
    """Reads topics as one member of a group; see `base.Source`."""

    def __init__(
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        listener: Listener,
        *,
        instance: str | None = None,
        max_records: int = MAX_RECORDS,
    ) -> None:
        """Connect, and join the group at the first `poll`; see `kafka.KafkaSource`.

        Raises:
            SourceError: No broker answers, or it refuses us.
        """
        self._settings, self._brokers, self._listener = settings, settings.brokers, listener
        self._max_records = max_records
        self._topic = topics[0] if len(topics) == 1 else None
        self._next: dict[str, int] = {}
        self._failure: Exception | None = None
        self._consumer = Consumer(
            {
                **_security(settings),
                "group.id": settings.group,
                **({"group.instance.id": instance} if instance else {}),
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "partition.assignment.strategy": "range,roundrobin",
                "session.timeout.ms": round(settings.session_seconds * 1000),
                "heartbeat.interval.ms": max(1, round(settings.session_seconds * 100)),
                "max.poll.interval.ms": 300_000,
                "topic.metadata.refresh.interval.ms": 5_000,
                "fetch.wait.max.ms": 250,
                "queued.max.messages.kbytes": 64 << 10,
                "fetch.queue.backoff.ms": 20,  # not a second of silence each time its queue was full
                "check.crcs": True,
            },
            logger=_log,
        )
        _refuse_silence(self._consumer, settings)
        self._consumer.subscribe(list(topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost)

    def poll(self, seconds: float) -> list[Fetched]:
        """Return what has come; see `base.Source.poll`."""
        try:
            messages = self._consumer.consume(self._max_records, seconds)
        except KafkaException as error:
            raise SourceError(f"{self._brokers}: {error}") from error
        if self._failure is not None:  # raised by the listener, which runs inside of consume
            failure, self._failure = self._failure, None
            raise failure
        faults = [message for message in messages if message.error() is not None]
        torn = self._torn(faults)
        good = [message for message in messages if message.error() is None] if faults else messages
        return [*self._fetched(good, torn), *self._stepped_over(torn)]

    def _torn(self, faults: list[Any]) -> dict[str, str]:
        """Find the partitions that cannot be read on, with what the library says; fail at an error that stays."""
        torn: dict[str, str] = {}
        for error, message in ((message.error(), message) for message in faults):
            if error.code() in _FATAL or error.fatal():
                raise SourceError(f"{self._brokers} refuses: {error.str()}")
            if error.code() in _TORN and message.topic() is not None:
                torn.setdefault(source_of(message.topic(), message.partition()), error.str())
        return torn

    def _fetched(self, messages: list[Any], torn: Mapping[str, str]) -> Iterator[Fetched]:
        """Gather messages by partition, which they come ordered in.

        Of a torn partition only what follows on the last one counts: the library takes damaged bytes for offsets.
        """
        for source, some in self._by_partition(messages):
            start = self._next.get(source, 0)
            batch = some
            if source in torn:
                batch = [each for number, each in enumerate(some) if each.offset() == start + number]
            if batch:
                offsets = [message.offset() for message in batch]
                self._next[source] = offsets[-1] + 1
                yield Fetched(source, offsets, [message.value() for message in batch], offsets[-1] + 1)

    def _by_partition(self, messages: list[Any]) -> Iterator[tuple[str, list[Any]]]:
        """Split where the partition changes; of one topic by its number alone, which is much quicker."""
        for partition, some in groupby(messages, methodcaller("partition")):
            batch = list(some)
            if self._topic is not None:
                yield source_of(self._topic, partition), batch
                continue
            for topic, those in groupby(batch, methodcaller("topic")):
                yield source_of(topic, partition), list(those)

    def _stepped_over(self, torn: Mapping[str, str]) -> list[Fetched]:
        """Read torn partitions on behind what cannot be read; kafka-python knows where that is."""
        if not torn:
            return []
        over = []
        for source in torn.keys() & self._next.keys():
            gap = damage_at(self._settings, source, self._next[source])
            if gap is not None:
                self._next[source] = gap.end
                over.append(Fetched(source, (), (), gap.end, (gap,)))
        mine = self.assignment()
        self._consumer.assign(_offsets({source: at for source, at in self._next.items() if source in mine}))
        return over

    def assignment(self) -> frozenset[str]:
        """Return the partitions that this process reads now."""
        return frozenset(source_of(each.topic, each.partition) for each in self._consumer.assignment())

    def seek(self, source: str, offset: int) -> None:
        """Read a partition on from an offset."""
        self._next[source] = offset
        self._consumer.seek(_partition(source, offset))

    def pause(self, sources: Collection[str]) -> None:
        """Fetch no more of some partitions."""
        self._consumer.pause([_partition(source) for source in sources])

    def resume(self, sources: Collection[str]) -> None:
        """Fetch them again."""
        self._consumer.resume([_partition(source) for source in sources])

    def ends(self) -> Mapping[str, int]:
        """Return one past the last offset of each partition; empty while no broker answers."""
        try:
            return {source: self._bounds(source).end for source in self.assignment()}
        except KafkaException:
            return {}

    def offset_at(self, source: str, instant: datetime) -> int | None:
        """Return the first offset that was written at an instant or later; see `base.Source.offset_at`."""
        asked = _partition(source, round(instant.timestamp() * 1000))
        try:
            (found,) = self._consumer.offsets_for_times([asked], timeout=TIMEOUT)
            end = self._bounds(source).end
        except KafkaException:
            return None
        return found.offset if found.error is None and found.offset >= 0 else end

    def commit(self, positions: Mapping[str, int]) -> None:
        """Tell the group where the store has come to."""
        try:
            if positions:
                self._consumer.commit(offsets=_offsets(positions), asynchronous=True)
        except KafkaException as error:
            _log.debug("the group was not told: %s", error)

    def confirm(self, positions: Mapping[str, int]) -> bool:
        """Tell the group, and say whether it counts this process as who reads these partitions."""
        try:
            answers = self._consumer.commit(offsets=_offsets(positions), asynchronous=False)
        except KafkaException:
            return False
        return all(answer.error is None for answer in answers)

    def close(self) -> None:
        """Stop reading; a static member keeps its place for a while."""
        self._consumer.close()

    def _bounds(self, source: str) -> Bounds:
        return Bounds(*self._consumer.get_watermark_offsets(_partition(source), timeout=TIMEOUT))

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin new partitions where the listener says."""
        sources = [source_of(each.topic, each.partition) for each in partitions]
        try:
            offsets = self._listener.assigned({source: self._bounds(source) for source in sources})
        except KafkaException:
            consumer.unassign()
            return  # the broker is away, and the group will assign again
        except Exception as error:  # raised again by `poll`: the library would only print it
            self._failure = error
            return
        self._next.update(offsets)
        consumer.assign(_offsets(offsets))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Let what is complete be committed."""
        self._listener.revoked([source_of(each.topic, each.partition) for each in partitions])
        consumer.unassign()

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Discard: others may read these partitions already."""
        self._listener.lost([source_of(each.topic, each.partition) for each in partitions])
        consumer.unassign()


class KafkaOutlet:
    """Writes to one topic; see `base.Outlet`."""

    def __init__(self, settings: KafkaSettings, topic: str, *, partitions: int = 4) -> None:
        """Connect; make the topic if there is none.

        Raises:
            SourceError: No broker answers, or it refuses us.
        """
        self._topic, self._failed = topic, list[KafkaError]()
        admin = AdminClient(_security(settings), logger=_log)
        _refuse_silence(admin, settings)
        for made in admin.create_topics([NewTopic(topic, partitions)]).values():
            error = made.exception()
            if error is not None and error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise SourceError(f"cannot make the topic {topic}: {error}")
        options = {
            **_security(settings),
            "linger.ms": 20,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 500_000,
            "message.max.bytes": LONGEST,
        }
        self._producer = Producer(options, logger=_log)

    def send(self, value: bytes, *, key: bytes | None = None) -> None:
        """Hand over one message."""
        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=self._told)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise SourceError(f"{self._topic}: {error}") from error
            else:
                return

    def flush(self) -> None:
        """Wait until all that was handed over is written."""
        left = self._producer.flush(60)
        if left or self._failed:
            why = self._failed[0].str() if self._failed else "no answer in a minute"
            raise SourceError(f"{self._topic}: {left + len(self._failed)} messages were not written: {why}")

    def close(self) -> None:
        """Flush, and let go of the connection."""
        self.flush()

    def _told(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self._failed.append(error)


def bounds(settings: KafkaSettings, topic: str) -> dict[str, Bounds]:
    """Return which offsets each partition of a topic has, without joining any group.

    Raises:
        SourceError: No broker answers, or it refuses us.
    """
    client = Consumer({**_security(settings), "group.id": "none", "enable.auto.commit": False}, logger=_log)
    try:
        _refuse_silence(client, settings)
        partitions = client.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions
        named = {source_of(topic, number): TopicPartition(topic, number) for number in partitions}
        return {source: Bounds(*client.get_watermark_offsets(each, timeout=TIMEOUT)) for source, each in named.items()}
    except KafkaException as error:
        raise SourceError(f"{settings.brokers}: {error.args[0].str()}") from error
    finally:
        client.close()


def _refuse_silence(client: Any, settings: KafkaSettings) -> None:  # noqa: ANN401 - the library has no types
    """Fail now, and with a reason, where no broker answers: the library would try for ever."""
    try:
        client.list_topics(timeout=2 * TIMEOUT)
    except KafkaException as error:
        raise SourceError(f"no Kafka answers at {settings.brokers}: {error.args[0].str()}") from error


def _security(settings: KafkaSettings) -> dict[str, Any]:
    """Return the client's settings for brokers, TLS and SASL; only those that are set."""
    if settings.ssl_keyfile is not None and (exposed := config.exposed(settings.ssl_keyfile)):
        raise SourceError(exposed)
    given = {
        "bootstrap.servers": settings.brokers,
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": settings.sasl_mechanism,
        "sasl.username": settings.sasl_username,
        "sasl.password": settings.sasl_password and settings.sasl_password.get_secret_value(),
        "ssl.ca.location": settings.ssl_cafile,
        "ssl.certificate.location": settings.ssl_certfile,
        "ssl.key.location": settings.ssl_keyfile,
        "ssl.key.password": settings.ssl_key_password and settings.ssl_key_password.get_secret_value(),
    }
    return {name: value for name, value in given.items() if value is not None}


def _offsets(positions: Mapping[str, int]) -> list[TopicPartition]:
    return [_partition(source, offset) for source, offset in positions.items()]


def _partition(source: str, offset: int | None = None) -> TopicPartition:
    topic, partition = partition_of(source)
    return TopicPartition(topic, partition) if offset is None else TopicPartition(topic, partition, offset)
