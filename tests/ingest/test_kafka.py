from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from tests.ingest.queue import message
from workbench.config import KafkaSettings
from workbench.errors import SourceError
from workbench.ingest import health, ledger, queues, rejects
from workbench.ingest.consumer import Consumer
from workbench.ingest.kafka import KafkaOutlet
from workbench.ingest.status import Limits
from workbench.store import files
from workbench.store.lake import LakeStore

pytestmark = pytest.mark.kafka
QUICK = Limits(rows=500, seconds=0.05, watch_seconds=0.5, revoke_seconds=2)


@pytest.fixture
def topic():
    return f"events-{uuid.uuid4().hex[:8]}"


@pytest.fixture(params=["kafka-python", "confluent"])
def client(request):
    return request.param


@pytest.fixture
def settings(broker, topic, client):
    return KafkaSettings(
        brokers=broker.address, client=client, group=f"group-{topic}", events=topic, session_seconds=broker.session
    )


@pytest.fixture
def whole(broker):
    """Only a broker that does all that Apache Kafka does."""
    if broker.kind == "noida-db":
        pytest.skip("noida-db 0.2 does not do all that this needs: groups, topics that come later")


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def produce(settings, messages):
    outlet = queues.open_outlet(settings, settings.events)
    for number, value in enumerate(messages):
        outlet.send(value, key=str(number % 50).encode())
    outlet.close()


def ids(lake):
    """Return what the files of a lake hold, repeated rows included."""
    present = files.files_of(lake._table())
    return sorted(files.read(lake.root, present)["event_id"].to_pylist()) if present else []


def expected(*numbers):
    return sorted(f"e{number}" for number in numbers)


def wait_until(happened, seconds=120):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


class Running:
    """A consumer in a thread."""

    def __init__(self, settings, lake, *, instance=None, limits=QUICK):
        self.consumer = Consumer(
            lambda listener: queues.open_source(
                settings, [settings.events], listener, instance=instance, max_records=500
            ),
            lake,
            limits=limits,
        )
        self.last, self.error = None, None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            self.last = self.consumer.run()
        except Exception as error:
            self.error = error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.consumer.stop()
        self.thread.join(timeout=120)
        assert not self.thread.is_alive()


class Child:
    """A consumer in a process of its own."""

    def __init__(self, settings, lake, *more):
        command = [
            sys.executable,
            "-m",
            "bench.stream_child",
            "--brokers",
            settings.brokers,
            "--topic",
            settings.events,
        ]
        command += [
            "--client",
            settings.client,
            "--lake",
            str(lake.path),
            "--session",
            str(settings.session_seconds),
            *map(str, more),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def died(self):
        """Wait until it has killed itself."""
        try:
            return self.process.wait(timeout=120) == -signal.SIGKILL
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=120)
        return said


def test_a_killed_consumer_neither_loses_nor_doubles_an_event(settings, lake):
    produce(settings, map(message, range(6_000)))
    for failpoint in ("after_history", "before_history", "after_rejects"):
        child = Child(settings, lake, "--instance", "one", "--failpoint", failpoint, "--passes", "1")
        if failpoint == "after_rejects":
            produce(settings, [b"poison"] * 5 + [message(n) for n in range(6_000, 6_500)])
            produce(settings, [b"poison"] * 5 + [message(n) for n in range(6_500, 7_000)])
        assert child.died(), failpoint
    last = Child(settings, lake, "--instance", "one")
    try:
        wait_until(lambda: len(ids(lake)) >= 7_000)
    finally:
        last.stop()
    assert ids(lake) == expected(*range(7_000))
    assert len(rejects.list_(lake.control)) == 10


def test_two_share_the_partitions_and_the_one_that_stays_takes_over(settings, lake):
    produce(settings, map(message, range(2_000)))
    with Running(settings, lake) as one:
        wait_until(lambda: len(ids(lake)) == 2_000)
        assert len(one.consumer.status().positions) == 4
        with Running(settings, lake) as other:
            wait_until(lambda: len(one.consumer.status().positions) == len(other.consumer.status().positions) == 2)
            produce(settings, map(message, range(2_000, 3_000)))
            wait_until(lambda: len(ids(lake)) == 3_000)
        wait_until(lambda: len(one.consumer.status().positions) == 4)
        produce(settings, map(message, range(3_000, 3_500)))
        wait_until(lambda: len(ids(lake)) == 3_500)
    assert one.error is other.error is None
    assert ids(lake) == expected(*range(3_500))


@pytest.mark.usefixtures("whole")
def test_what_a_process_that_was_thought_dead_was_about_to_commit_is_refused(settings, lake):
    produce(settings, map(message, range(1_000)))
    zombie = Child(settings, lake, "--failpoint", "before_history", "--passes", "1", "--freeze")
    state = Path(f"/proc/{zombie.process.pid}/stat")
    wait_until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
    produce(settings, map(message, range(1_000, 1_500)))
    with Running(settings, lake):
        wait_until(lambda: len(ids(lake)) == 1_500)  # once the zombie's session is over
        zombie.process.send_signal(signal.SIGCONT)
        produce(settings, map(message, range(1_500, 2_000)))
        wait_until(lambda: len(ids(lake)) == 2_000)
        said = zombie.stop()
    assert ids(lake) == expected(*range(2_000))
    assert int(said.splitlines()[-1].split()[3]) >= 1  # commits that were refused


@pytest.mark.usefixtures("whole")
def test_the_group_is_told_and_another_store_begins_at_the_beginning_all_the_same(settings, lake, tmp_path):
    produce(settings, map(message, range(500)))
    with Running(settings, lake):
        wait_until(lambda: len(ids(lake)) == 500)
    other = LakeStore(tmp_path / "other")
    with Running(settings, other):
        wait_until(lambda: len(ids(other)) == 500)


def test_bytes_that_rotted_on_the_brokers_disk_are_stepped_over_and_noted(settings, broker, lake):
    if not broker.is_ours:
        pytest.skip("the disk of this broker is not ours")
    one_partition(settings)
    for start in range(0, 900, 300):
        produce(settings, map(message, range(start, start + 300)))
    rot(broker, settings.events, b'"e450"')
    with Running(settings, lake):
        wait_until(lambda: "e899" in ids(lake))
    (gap,) = ledger.gaps(lake.control)
    found = set(ids(lake))
    lost = [number for number in range(900) if f"e{number}" not in found]
    assert gap.reason == "corrupt"
    assert lost == list(range(gap.start, gap.end))
    assert gap.start <= 450 < gap.end
    assert gap.end - gap.start <= 300


def one_partition(settings):
    KafkaOutlet(settings, settings.events, partitions=1).close()


def rot(broker, topic, word):
    """Change a byte of a message where it lies."""
    (log,) = broker.partition(f"{topic}-0").glob("*.log")
    at = log.read_bytes().index(word)
    with log.open("r+b") as file:
        file.seek(at + 1)
        file.write(b"E")


def test_the_doctor_knows_how_far_behind_the_store_is(settings, lake):
    produce(settings, map(message, range(300)))
    waiting = health.partitions(settings, settings.events, lake, look_again=0.1)
    assert sum(partition.lag for partition in waiting) == 300
    assert {partition.is_stuck for partition in waiting if partition.lag} == {True}
    with Running(settings, lake):
        wait_until(lambda: len(ids(lake)) == 300)
    done = health.partitions(settings, settings.events, lake, look_again=0.1)
    assert [partition.lag for partition in done] == [0] * 4
    assert not any(partition.is_stuck for partition in done)


@pytest.mark.usefixtures("whole")
def test_a_topic_that_is_not_there_yet_is_waited_for(settings, lake):
    assert health.partitions(settings, "no-such-topic", lake) == []
    with Running(settings, lake) as running:
        time.sleep(1)
        assert running.consumer.status().state == "joining"
        produce(settings, map(message, range(100)))
        wait_until(lambda: len(ids(lake)) == 100)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # kafka-python leaves a socket open
def test_no_broker_is_said_at_the_start(lake, client, monkeypatch):
    monkeypatch.setattr("workbench.ingest.kafka.TIMEOUT_MS", 500)
    monkeypatch.setattr("workbench.ingest.kafka_fast.TIMEOUT", 0.5)
    settings = KafkaSettings(brokers="127.0.0.1:9", client=client)
    with pytest.raises(SourceError, match=r"no Kafka answers at 127\.0\.0\.1:9"):
        health.partitions(settings, "events", lake)
    gc.collect()
