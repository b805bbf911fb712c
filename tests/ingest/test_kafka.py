from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid

import pytest

from workbench.config import KafkaSettings
from workbench.ingest.kafka import KafkaOutlet
from workbench.store import files
from workbench.store.lake import LakeStore

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic():
    return f"events-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def settings(broker, topic):
    return KafkaSettings(brokers=broker.address, group=f"group-{topic}", session_seconds=6)


def message(number, **fields):
    user = f"user-{number % 50}"
    event = {"event_id": f"e{number}", "event_type": "view", "user_id": user, "occurred_at": "2026-11-01T09:00:00Z"}
    return json.dumps({**event, **fields}).encode()


def produce(settings, topic, messages, partitions=3):
    outlet = KafkaOutlet(settings, topic, partitions=partitions)
    for number, value in enumerate(messages):
        outlet.send(value, key=str(number % 50).encode())
    outlet.close()


class Child:
    """A consumer in a process of its own."""

    def __init__(self, settings, topic, lake, *more):
        command = [sys.executable, "-m", "bench.stream_child", "--brokers", settings.brokers, "--topic", topic]
        self.process = subprocess.Popen(
            [*command, "--lake", str(lake), "--session", "6", *map(str, more)], stdout=subprocess.PIPE, text=True
        )

    def died(self):
        """Wait until it has killed itself."""
        try:
            return self.process.wait(timeout=30) == -signal.SIGKILL
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=30)
        return said


def ids(lake):
    """Return what is in the lake, repeated rows included."""
    store = LakeStore(lake, create=False)
    present = files.files_of(store._table())
    return files.read(store.root, present)["event_id"].to_pylist() if present else []


def wait_until(happened, seconds=30):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def test_a_killed_consumer_neither_loses_nor_doubles_an_event(settings, topic, tmp_path):
    lake = tmp_path / "lake"
    LakeStore(lake)
    produce(settings, topic, map(message, range(6_000)))
    for failpoint in ("after_history", "before_history", "after_rejects"):
        child = Child(settings, topic, lake, "--instance", "one", "--failpoint", failpoint, "--passes", "1")
        if failpoint == "after_rejects":
            produce(settings, topic, [b"poison"] * 5 + [message(n) for n in range(6_000, 6_500)])
            produce(settings, topic, [b"poison"] * 5 + [message(n) for n in range(6_500, 7_000)])
        assert child.died(), failpoint
    last = Child(settings, topic, lake, "--instance", "one")
    wait_until(lambda: len(ids(lake)) >= 7_000)
    last.stop()
    assert sorted(ids(lake)) == sorted(f"e{n}" for n in range(7_000))
