"""A broker, a topic, a lake, consumers in processes of their own, and a ledger written before anything is sent."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ingest.poison import POISON
from tests.kafka_broker import Broker, broker
from workbench.config import KafkaSettings
from workbench.ingest import queues, rejects
from workbench.store import files
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTITIONS = 4


class World:
    """One story: what was sent is in `ledger`, what became of it is in the lake."""

    def __init__(self, on: Broker, *, session: float = 6, client: str = "kafka-python") -> None:
        self.broker = on
        self.folder = Path(tempfile.mkdtemp(prefix="workbench-stream-"))
        self.lake = LakeStore(self.folder / "lake")
        topic = f"bench-{uuid.uuid4().hex[:8]}"
        self.settings = KafkaSettings(
            brokers=on.address, client=client, group=topic, events=topic, session_seconds=session
        )
        self.ledger: set[str] = set()
        self.poisoned = 0
        self.session = session
        self._outlet = queues.open_outlet(self.settings.model_copy(update={"client": "confluent"}), topic)
        self._number = self._lakes = 0

    def close(self) -> None:
        """Remove the lake."""
        with contextlib.suppress(Exception):
            self._outlet.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def renew(self, client: str) -> None:
        """Begin with an empty lake, and read with a client."""
        self._lakes += 1
        self.lake = LakeStore(self.folder / f"lake-{self._lakes}")
        group = f"{self.settings.events}-{self._lakes}"
        self.settings = self.settings.model_copy(update={"client": client, "group": group})

    def send_raw(self, value: bytes | None, *, key: bytes) -> None:
        """Send what may be no event, and is in no ledger."""
        self._outlet.send(value, key=key)

    def send(self, count: int, *, poison: float = 0.0, rng: random.Random | None = None, **fields: object) -> None:
        """Write ids into the ledger, then send their events."""
        for _ in range(count):
            self._number += 1
            if poison and rng and rng.random() < poison:
                self.poisoned += 1
                self._outlet.send(b"poison %d" % self._number, key=b"%d" % self._number)
                continue
            event_id = f"e{self._number}"
            self.ledger.add(event_id)
            self._outlet.send(event(event_id, self._number, **fields), key=b"%d" % (self._number % 997))

    def flush(self) -> None:
        """Wait until the broker has everything that was sent."""
        self._outlet.flush()

    @contextlib.contextmanager
    def load(self, rate: int, *, poison: float = 0.01) -> Iterator[None]:
        """Send so many events a second while the block runs."""
        stop, rng = threading.Event(), random.Random(1)

        def go() -> None:
            while not stop.wait(0.1):
                self.send(rate // 10, poison=poison, rng=rng)

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.flush()

    def child(self, *more: object) -> subprocess.Popen:
        """Start a consumer."""
        given = {
            "brokers": self.settings.brokers,
            "topic": self.settings.events,
            "client": self.settings.client,
            "lake": self.lake.path,
            "session": self.session,
        }
        options = [f"--{name}={value}" for name, value in given.items()]
        log = (self.folder / "children.log").open("a")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "bench.stream_child", *options, *map(str, more)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def said(self) -> str:
        """Return the last that consumers wrote as errors."""
        return (self.folder / "children.log").read_text()[-5_000:]

    def positions(self) -> int:
        """Return how many offsets of all partitions are committed."""
        return sum(self.positions_by_partition())

    def positions_by_partition(self) -> list[int]:
        """Return where each partition is committed."""
        table = self.lake._table()
        return [table.transaction_version(f"{self.settings.events}-{number}") or 0 for number in range(PARTITIONS)]

    def wait(self, *, seconds: float = 120) -> bool:
        """Wait until all that was sent is committed."""
        end = sum(bound.end for bound in queues.bounds(self.settings, self.settings.events).values())
        until = time.monotonic() + seconds
        while self.positions() < end:
            if time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def verdict(self) -> Counter[str]:
        """Compare the rows of the lake, repeated ones included, with the ledger: all zero when all is right."""
        present = files.files_of(self.lake._table())
        counts = Counter(files.read(self.lake.root, present)["event_id"].to_pylist() if present else [])
        set_aside = len(rejects.list_(self.lake.control))
        return Counter(
            {
                "lost": len(self.ledger - counts.keys()),
                "doubled": sum(count - 1 for count in counts.values()),
                "foreign": len(counts.keys() - self.ledger),
                "rejects off by": abs(set_aside - self.poisoned),
            }
        )


def event(event_id: str, number: int, **fields: object) -> bytes:
    """Write an event of about 250 bytes that occurs now."""
    now = time.time()
    return json.dumps(
        {
            "event_id": event_id,
            "event_type": ("message_sent", "request", "raid_joined")[number % 3],
            "user_id": f"user-{number % 20_000}",
            "platform": ("discord", "telegram")[number % 2],
            "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z",
            "session_id": f"s{number % 1000}",
            "properties": {"channel": "general", "chars": number % 300, "response_time_ms": number % 977},
            **fields,
        }
    ).encode()


def stop(process: subprocess.Popen, number: int = signal.SIGTERM) -> str:
    """End a consumer; return what it said."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    return said


@contextlib.contextmanager
def a_broker() -> Iterator[Broker]:
    """Give the broker of this machine."""
    started = broker()
    print(f"broker: {started.kind}", flush=True)
    try:
        yield started
    finally:
        started.close()


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that at least a share is not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


__all__ = ["POISON", "World", "a_broker", "event", "percentile", "stop"]
