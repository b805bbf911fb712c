"""Kafka through kafka-python: partitions read as a member of a consumer group, messages written to a topic."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

import kafka
from kafka import errors

from workbench import config
from workbench.errors import SourceError
from workbench.ingest.base import Bounds, Fetched, partition_of, source_of
from workbench.ingest.kafka_damage import UNREADABLE, damage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from workbench.config import KafkaSettings
    from workbench.ingest.base import Gap, Listener

TIMEOUT_MS: Final = 5_000
"""How long one question to a broker may take before it counts as away."""

MAX_RECORDS: Final = 20_000
LONGEST: Final = 8 << 20
"""Most bytes of a message, or of a batch of them, that are offered to a broker, which may allow less."""
_FETCH: Final = {"max_partition_fetch_bytes": 4 << 20, "fetch_max_bytes": 32 << 20, "fetch_max_wait_ms": 250}
_FATAL: Final = (
    errors.SaslAuthenticationFailedError,
    errors.UnsupportedSaslMechanismError,
    errors.AuthorizationError,
    errors.FencedInstanceIdError,
    errors.KafkaConfigurationError,
    errors.InvalidTopicError,
    errors.InconsistentGroupProtocolError,
    errors.InvalidSessionTimeoutError,
)


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
        """Connect, and join the group at the first `poll`.

        Args:
            settings: Where the brokers are, and how to speak to them.
            topics: What to read.
            listener: Who is told of partitions.
            instance: A name that no other member has at one time, by which a restarted process gets its
                partitions back at once; without one it is a new member.
            max_records: The most that one `poll` returns.

        Raises:
            SourceError: No broker answers, or it refuses us.
        """
        self._settings, self._brokers, self._listener = settings, settings.brokers, listener
        self._lock = threading.Lock()
        self._new: set[kafka.TopicPartition] = set()
        self._held: set[kafka.TopicPartition] = set()
        self._consumer = _connected(
            kafka.KafkaConsumer,
            settings,
            group_id=settings.group,
            group_instance_id=instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metadata_max_age_ms=5_000,
            session_timeout_ms=round(settings.session_seconds * 1000),
            heartbeat_interval_ms=max(1, round(settings.session_seconds * 100)),
            max_poll_interval_ms=300_000,
            max_poll_records=max_records,
            metrics_enabled=False,
            **_FETCH,
        )
        try:
            for topic in topics:  # who leads the group and joins before it knows a topic gives nobody its partitions
                self._consumer.partitions_for_topic(topic)
        except errors.KafkaError as error:
            raise SourceError(f"{self._brokers}: {_said(error)}") from error
        self._consumer.subscribe(topics=list(topics), listener=_Rebalance(self, listener))

    def poll(self, seconds: float) -> list[Fetched]:
        """Return what has come; see `base.Source.poll`."""
        self._settle()
        try:
            records = self._consumer.poll(timeout_ms=round(seconds * 1000))
        except _FATAL as error:
            raise SourceError(f"{self._brokers} refuses: {_said(error)}") from error
        except UNREADABLE:
            return self._stepped_over()
        except errors.KafkaError as error:
            if isinstance(error.__cause__, Exception):  # raised by the listener, which runs inside of poll
                raise error.__cause__ from error
            time.sleep(min(seconds, 0.2))  # what a broker that is away answers with; the client reconnects
            return []
        self._settle()
        return [_fetched(partition, batch) for partition, batch in records.items()]

    def assignment(self) -> frozenset[str]:
        """Return the partitions that this process reads now."""
        return frozenset(source_of(*partition) for partition in self._consumer.assignment() or ())

    def seek(self, source: str, offset: int) -> None:
        """Read a partition on from an offset."""
        self._consumer.seek(_partition(source), offset)

    def pause(self, sources: Collection[str]) -> None:
        """Fetch no more of some partitions."""
        partitions = {_partition(source) for source in sources} & set(self._consumer.assignment())
        self._held |= partitions
        self._consumer.pause(*partitions)

    def resume(self, sources: Collection[str]) -> None:
        """Fetch them again; those whose beginning is not known yet later."""
        partitions = {_partition(source) for source in sources}
        self._held -= partitions
        with self._lock:
            waiting = set(self._new)
        self._consumer.resume(*(partitions & set(self._consumer.assignment()) - waiting))

    def ends(self) -> Mapping[str, int]:
        """Return one past the last offset of each partition; empty while no broker answers."""
        partitions = list(self._consumer.assignment())
        try:
            ends = self._consumer.end_offsets(partitions, timeout_ms=TIMEOUT_MS) if partitions else {}
        except errors.KafkaError:
            return {}
        return {source_of(*partition): end for partition, end in ends.items()}

    def offset_at(self, source: str, instant: datetime) -> int | None:
        """Return the first offset that was written at an instant or later; see `base.Source.offset_at`."""
        partition = _partition(source)
        asked = {partition: round(instant.timestamp() * 1000)}
        try:
            found = self._consumer.offsets_for_times(asked, timeout_ms=TIMEOUT_MS)[partition]
            end: int = self._consumer.end_offsets([partition], timeout_ms=TIMEOUT_MS)[partition]
        except errors.KafkaError:
            return None
        return found.offset if found else end

    def commit(self, positions: Mapping[str, int]) -> None:
        """Tell the group where the store has come to."""
        if positions:
            self._consumer.commit_async(_offsets(positions))

    def confirm(self, positions: Mapping[str, int]) -> bool:
        """Tell the group, and say whether it counts this process as who reads these partitions."""
        try:
            self._consumer.commit(_offsets(positions), timeout_ms=TIMEOUT_MS)
        except errors.KafkaError:
            return False
        return True

    def close(self) -> None:
        """Stop reading; a static member keeps its place for a while."""
        self._consumer.close(autocommit=False, timeout_ms=TIMEOUT_MS)

    def _settle(self) -> None:
        """Ask where to read new partitions from, which wait paused until then."""
        with self._lock:
            new = set(self._new)
        if not new:
            return
        try:
            begins = self._consumer.beginning_offsets(list(new), timeout_ms=TIMEOUT_MS)
            ends = self._consumer.end_offsets(list(new), timeout_ms=TIMEOUT_MS)
        except errors.KafkaError:
            return  # asked again at the next poll
        known = {partition: Bounds(begins[partition], ends[partition]) for partition in new}
        offsets = self._listener.assigned({source_of(*partition): bounds for partition, bounds in known.items()})
        for source, offset in offsets.items():
            partition = _partition(source)
            with self._lock:
                if partition not in self._new:  # gone again meanwhile
                    continue
                self._new.discard(partition)
                self._consumer.seek(partition, offset)
            if partition not in self._held:
                self._consumer.resume(partition)

    def _stepped_over(self) -> list[Fetched]:
        """Step over bytes that cannot be read, wherever they are."""
        torn = self._consumer._fetcher._next_partition_records
        if torn is not None:  # the client would go round on it for ever
            torn.drain()
        for partition in self._consumer.assignment():
            start = self._consumer.position(partition, timeout_ms=TIMEOUT_MS)
            gap = None if start is None else damage_at(self._settings, source_of(*partition), start)
            if gap is not None:
                self._consumer.seek(partition, gap.end)
                return [Fetched(source_of(*partition), (), (), gap.end, (gap,))]
        return []


class _Rebalance(kafka.ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's own thread, inside of `poll`."""

    def __init__(self, source: KafkaSource, listener: Listener) -> None:
        self._source, self._listener = source, listener

    def on_partitions_assigned(self, assigned: Collection[kafka.TopicPartition]) -> None:
        """Hold new partitions until it is known where to read them from."""
        source = self._source
        source._consumer.pause(*assigned)
        with source._lock:
            source._new |= set(assigned)

    def on_partitions_revoked(self, revoked: Collection[kafka.TopicPartition]) -> None:
        """Let what is complete be committed."""
        self._gone(revoked)
        self._listener.revoked([source_of(*partition) for partition in revoked])

    def on_partitions_lost(self, lost: Collection[kafka.TopicPartition]) -> None:
        """Discard: others may read these partitions already."""
        self._gone(lost)
        self._listener.lost([source_of(*partition) for partition in lost])

    def _gone(self, partitions: Collection[kafka.TopicPartition]) -> None:
        with self._source._lock:
            self._source._new -= set(partitions)
        self._source._held -= set(partitions)


class KafkaOutlet:
    """Writes to one topic; see `base.Outlet`."""

    def __init__(self, settings: KafkaSettings, topic: str, *, partitions: int = 4) -> None:
        """Connect; make the topic if there is none.

        Raises:
            SourceError: No broker answers, or it refuses us.
        """
        self._topic = topic
        self._failed: list[Exception] = []
        _make_topic(settings, topic, partitions)
        self._producer = _connected(
            kafka.KafkaProducer,
            settings,
            acks="all",
            linger_ms=20,
            batch_size=1 << 17,
            max_request_size=LONGEST,
            metrics_enabled=False,
        )

    def send(self, value: bytes, *, key: bytes | None = None) -> None:
        """Hand over one message."""
        try:
            self._producer.send(self._topic, value=value, key=key).add_errback(self._failed.append)
        except errors.KafkaError as error:
            raise SourceError(f"{self._topic}: {_said(error)}") from error

    def flush(self) -> None:
        """Wait until all that was handed over is written."""
        try:
            self._producer.flush(timeout=60)
        except errors.KafkaError as error:
            raise SourceError(f"{self._topic}: {_said(error)}") from error
        if self._failed:
            raise SourceError(f"{self._topic}: {len(self._failed)} messages were refused: {_said(self._failed[0])}")

    def close(self) -> None:
        """Flush, and let go of the connection."""
        try:
            self.flush()
        finally:
            self._producer.close()


def bounds(settings: KafkaSettings, topic: str) -> dict[str, Bounds]:
    """Return which offsets each partition of a topic has, without joining any group.

    Raises:
        SourceError: No broker answers, or it refuses us.
    """
    client = _connected(kafka.KafkaConsumer, settings, enable_auto_commit=False, allow_auto_create_topics=False)
    try:
        numbers = client.partitions_for_topic(topic) or ()
        partitions = [kafka.TopicPartition(topic, number) for number in numbers]
        if not partitions:
            return {}
        begins = client.beginning_offsets(partitions, timeout_ms=TIMEOUT_MS)
        ends = client.end_offsets(partitions, timeout_ms=TIMEOUT_MS)
        return {source_of(*each): Bounds(begins[each], ends[each]) for each in partitions}
    except errors.KafkaError as error:
        raise SourceError(f"{settings.brokers}: {_said(error)}") from error
    finally:
        client.close()


def damage_at(settings: KafkaSettings, source: str, start: int) -> Gap | None:
    """Return the offsets of a partition that cannot be read from `start` on; see `kafka_damage.damage`."""
    try:
        client = _connected(kafka.KafkaConsumer, settings, enable_auto_commit=False, isolation_level="read_committed")
    except SourceError:
        return None
    try:
        return damage(client, _partition(source), start)
    finally:
        client.close()


def _make_topic(settings: KafkaSettings, topic: str, partitions: int) -> None:
    admin = _connected(kafka.KafkaAdminClient, settings)
    try:
        if topic not in admin.list_topics():
            admin.create_topics({topic: {"num_partitions": partitions}}, wait_for_metadata=True)
    except errors.TopicAlreadyExistsError:
        return  # another process was first
    except errors.KafkaError as error:
        raise SourceError(f"cannot make the topic {topic}: {_said(error)}") from error
    finally:
        admin.close()


def _connected(client: Any, settings: KafkaSettings, **more: Any) -> Any:  # noqa: ANN401 - the library has no types
    try:
        brokers = settings.brokers.split(",")
        return client(bootstrap_servers=brokers, bootstrap_timeout_ms=2 * TIMEOUT_MS, **_security(settings), **more)
    except (errors.KafkaError, ValueError, OSError) as error:
        raise SourceError(f"no Kafka answers at {settings.brokers}: {_said(error)}") from error


def _security(settings: KafkaSettings) -> dict[str, Any]:
    """Return the client's arguments for TLS and SASL; only those that are set."""
    if settings.ssl_keyfile is not None and (exposed := config.exposed(settings.ssl_keyfile)):
        raise SourceError(exposed)
    given = {
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password and settings.sasl_password.get_secret_value(),
        "ssl_cafile": settings.ssl_cafile,
        "ssl_certfile": settings.ssl_certfile,
        "ssl_keyfile": settings.ssl_keyfile,
        "ssl_password": settings.ssl_key_password and settings.ssl_key_password.get_secret_value(),
    }
    return {name: value for name, value in given.items() if value is not None}


def _fetched(partition: kafka.TopicPartition, batch: Sequence[Any]) -> Fetched:
    offsets = [record.offset for record in batch]
    return Fetched(source_of(*partition), offsets, [record.value for record in batch], offsets[-1] + 1)


def _offsets(positions: Mapping[str, int]) -> dict[kafka.TopicPartition, kafka.OffsetAndMetadata]:
    return {_partition(source): kafka.OffsetAndMetadata(end, "", -1) for source, end in positions.items()}


def _partition(source: str) -> kafka.TopicPartition:
    return kafka.TopicPartition(*partition_of(source))


def _said(error: Exception) -> str:
    """Say in a line what a client's error is; some have no text but their name."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
