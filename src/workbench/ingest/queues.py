"""Which client speaks to the queue, by the settings; and a topic named by a URL."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import InvalidArgument, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.config import KafkaSettings
    from workbench.ingest.base import Bounds, Listener, Outlet, Source

_URL: Final = re.compile(r"kafka://(?P<brokers>[^/\s]+)/(?P<topic>[A-Za-z0-9._-]{1,249})")
_CLIENTS: Final = {
    "kafka-python": ("workbench.ingest.kafka", "kafka"),
    "confluent": ("workbench.ingest.kafka_fast", "kafka-fast"),
}


def open_source(
    settings: KafkaSettings,
    topics: Sequence[str],
    listener: Listener,
    *,
    instance: str | None = None,
    max_records: int = 20_000,
) -> Source:
    """Join a group as a reader of topics.

    Args:
        settings: Which client, where, and how.
        topics: What to read.
        listener: Who is told of partitions.
        instance: By which a restarted process gets its partitions back.
        max_records: The most that one `poll` returns.

    Raises:
        SourceError: No broker answers, it refuses us, or the client is not installed.
    """
    reader = _of(settings, "KafkaSource")
    source: Source = reader(settings, topics, listener, instance=instance, max_records=max_records)
    return source


def open_outlet(settings: KafkaSettings, topic: str) -> Outlet:
    """Open a topic to write to; it is made if there is none.

    Raises:
        SourceError: No broker answers, it refuses us, or the client is not installed.
    """
    outlet: Outlet = _of(settings, "KafkaOutlet")(settings, topic)
    return outlet


def bounds(settings: KafkaSettings, topic: str) -> dict[str, Bounds]:
    """Return which offsets each partition of a topic has, without joining any group; none if there is no such topic.

    Raises:
        SourceError: No broker answers, it refuses us, or the client is not installed.
    """
    known: dict[str, Bounds] = _of(settings, "bounds")(settings, topic)
    return known


def _of(settings: KafkaSettings, name: str) -> Any:  # noqa: ANN401 - a class or a function of either client
    module, extra = _CLIENTS[settings.client]
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise SourceError(f"{settings.client} is not installed: install workbench[{extra}]") from error


def at(url: str, settings: KafkaSettings) -> tuple[KafkaSettings, str]:
    """Return the settings with the brokers of a URL, and its topic.

    >>> from workbench.config import KafkaSettings
    >>> settings, topic = at("kafka://127.0.0.1:9092/events", KafkaSettings())
    >>> settings.brokers, topic
    ('127.0.0.1:9092', 'events')

    Raises:
        InvalidArgument: It is no such URL.
    """
    match = _URL.fullmatch(url)
    if match is None or "@" in url:
        raise InvalidArgument("a topic is written kafka://host:port/topic; a password belongs into the settings")
    return settings.model_copy(update={"brokers": match["brokers"]}), match["topic"]
