"""How fast a stream is, beside what its client alone does, and beside other stream processors on the same broker."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from bench.stream_world import PARTITIONS, World, percentile, stop
from workbench.ingest import queues
from workbench.ingest.consumer import Consumer
from workbench.ingest.status import Limits
from workbench.store.live_open import BESIDE, open_live

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa

    from tests.kafka_broker import Broker
    from workbench.store.base import Live

EVENTS = 300_000
MANY = 1_500_000
PEERS = Path(__file__).parents[1] / ".cache" / "peers"

BARE = """
import sys, time
from kafka import KafkaConsumer
client = KafkaConsumer(
    sys.argv[2], bootstrap_servers=sys.argv[1], group_id=None, auto_offset_reset="earliest", enable_auto_commit=False,
    isolation_level="read_committed", max_poll_records=20_000, metrics_enabled=False,
    max_partition_fetch_bytes=4 << 20, fetch_max_bytes=32 << 20, fetch_max_wait_ms=250,
)
seen, began, wanted = 0, None, int(sys.argv[3])
while seen < wanted:
    batch = client.poll(timeout_ms=1000)
    began = began or ((time.perf_counter(), time.process_time()) if batch else None)
    seen += sum(map(len, batch.values()))
print(seen / (time.perf_counter() - began[0]), seen / (time.process_time() - began[1]))
client.close()
"""

BARE_FAST = """
import sys, time
from confluent_kafka import Consumer, TopicPartition
client = Consumer({
    "bootstrap.servers": sys.argv[1], "group.id": "bare", "enable.auto.commit": False, "fetch.wait.max.ms": 250,
    "isolation.level": "read_committed", "queued.max.messages.kbytes": 64 << 10, "fetch.queue.backoff.ms": 20,
    "check.crcs": True,
})
partitions = client.list_topics(sys.argv[2]).topics[sys.argv[2]].partitions
client.assign([TopicPartition(sys.argv[2], number, 0) for number in partitions])
seen, began, wanted = 0, None, int(sys.argv[3])
while seen < wanted:
    batch = [message.value() for message in client.consume(20_000, 0.25)]
    began = began or ((time.perf_counter(), time.process_time()) if batch else None)
    seen += len(batch)
print(seen / (time.perf_counter() - began[0]), seen / (time.process_time() - began[1]))
client.close()
"""

OURS = """
import sys, tempfile, threading, time
from workbench.config import KafkaSettings
from workbench.ingest import queues
from workbench.ingest.consumer import Consumer
from workbench.ingest.status import Limits
from workbench.ingest.status import Limits
from workbench.store.lake import LakeStore
from workbench.store.live_open import BESIDE, open_live
brokers, topic, wanted, client = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
settings = KafkaSettings(brokers=brokers, client=client, events=topic, group=f"speed-{time.time()}")
with tempfile.TemporaryDirectory() as folder:
    lake, began, done = LakeStore(folder + "/lake"), [], []
    def opened(listener):
        source = queues.open_source(settings, [topic], listener)
        poll = source.poll
        def timed(seconds):
            fetched = poll(seconds)
            if fetched and not began:
                began.extend((time.perf_counter(), time.process_time()))
            return fetched
        source.poll = timed
        return source
    numbers = open_live(BESIDE, lake=lake.path)
    consumer = Consumer(opened, lake, numbers, limits=Limits(maintain_batches=10**9, maintain_rows=10**9))
    def watch():
        while consumer.status().read < wanted:
            time.sleep(0.02)
        done.extend((time.perf_counter(), time.process_time()))
        consumer.stop()
    threading.Thread(target=watch).start()
    consumer.run()
    print(wanted / (done[0] - began[0]), wanted / (done[1] - began[1]))
"""

BYTEWAX = """
import sys, time
from datetime import datetime, timedelta, timezone
import bytewax.operators as op
import bytewax.operators.windowing as win
import msgspec
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import cluster_main
brokers, topic, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
class Event(msgspec.Struct):
    platform: str
    occurred_at: datetime
decode, seen, began = msgspec.json.Decoder(Event).decode, 0, None
def read(message):
    global seen, began
    began = began or (time.perf_counter(), time.process_time())
    seen += 1
    if seen == wanted:
        print(seen / (time.perf_counter() - began[0]), seen / (time.process_time() - began[1]), flush=True)
    return decode(message.value)
class Drop(StatelessSinkPartition):
    def write_batch(self, items): pass
class Sink(DynamicSink):
    def build(self, step_id, worker_index, worker_count): return Drop()
flow = Dataflow("count")
events = op.map("read", op.input("in", flow, KafkaSource([brokers], [topic], tail=False, batch_size=5000)), read)
clock = win.EventClock(lambda e: e.occurred_at, wait_for_system_duration=timedelta(seconds=5))
windower = win.TumblingWindower(timedelta(seconds=1), align_to=datetime(2026, 1, 1, tzinfo=timezone.utc))
counted = win.count_window("count", events, clock, windower, lambda e: e.platform)
op.output("out", counted.down, Sink())
cluster_main(flow, [], 0)
"""

QUIX = """
import json, sys, tempfile, time
import msgspec
from quixstreams import Application
brokers, topic, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
app = Application(
    broker_address=brokers, consumer_group=f"quix-{time.time()}", auto_offset_reset="earliest",
    state_dir=tempfile.mkdtemp(), auto_create_topics=True, loglevel="ERROR",
)
seen, began = 0, None
def count(value):
    global seen, began
    began = began or (time.perf_counter(), time.process_time())
    seen += 1
    if seen == wanted:
        print(seen / (time.perf_counter() - began[0]), seen / (time.process_time() - began[1]), flush=True)
        app.stop()
    return value
from datetime import timedelta
stream = app.dataframe(app.topic(topic, value_deserializer="json"))
stream = stream.apply(count).tumbling_window(timedelta(seconds=1)).count().final()
app.run()
"""


class Clocked:
    """A live store that notes how old some of the events are when they are in it."""

    def __init__(self, live: Live) -> None:
        """Take the store."""
        self.live, self.delays = live, list[float]()

    def position(self, source: str) -> int:
        """Return where it is."""
        return self.live.position(source)

    def apply(
        self, events: pa.Table, *, moved: Mapping[str, tuple[int, int]], rejected: Mapping[str, int], now: datetime
    ) -> None:
        """Add events, then note their age."""
        self.live.apply(events, moved=moved, rejected=rejected, now=now)
        if events.num_rows:
            age = time.time() - pc.cast(events["occurred_at"], "int64").to_numpy() / 1e6
            self.delays += age[:: max(1, len(age) // 200)].tolist()


def speed(broker: Broker, times: int, rng: random.Random) -> bool:
    """Read 300,000 events end to end, in turn with bare loops and peers. Figures: 0.6x, 1x of bytewax, 2x of quix."""
    del rng
    with World(broker) as world:
        world.send(EVENTS)
        world.flush()
        runs = {
            "kafka-python, bare poll loop": (sys.executable, BARE, ""),
            "workbench on kafka-python": (sys.executable, OURS, "kafka-python"),
            "workbench on confluent": (sys.executable, OURS, "confluent"),
        }
        peers = _peers()
        if peers is not None:
            runs["bytewax, windowed count"] = (peers, BYTEWAX, "")
            runs["quixstreams, windowed count"] = (peers, QUIX, "")
        best, core = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 0.0)
        for _ in range(max(1, times)):
            for name, (python, script, client) in runs.items():
                wall, alone = rate(python, script, world, EVENTS, client)
                best[name], core[name] = max(best[name], wall), max(core[name], alone)
    for name, fastest in best.items():
        print(f"  {name:32s} {fastest:9,.0f} events/s  {core[name]:9,.0f} a core second")
    slow, fast = best["workbench on kafka-python"], best["workbench on confluent"]
    ratios = {"of its bare poll loop (0.6)": (slow / best["kafka-python, bare poll loop"], 0.6)}
    for name, wanted in (("bytewax, windowed count", 1.0), ("quixstreams, windowed count", 2.0)):
        if best.get(name):
            ratios[f"confluent, of {name} ({wanted:g})"] = (fast / best[name], wanted)
    told = ", ".join(f"{ratio:.2f}x {name}" for name, (ratio, _) in ratios.items())
    print(f"speed, history exactly once and live numbers included: {told}")
    return all(ratio >= wanted for ratio, wanted in ratios.values())


def rate(python: str, script: str, world: World, events: int, client: str = "") -> tuple[float, float]:
    """Run a script until it has told how many events it read in a second, and in a second of one core."""
    command = [python, "-c", script, world.settings.brokers, world.settings.events, str(events), client]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    timer = threading.Timer(180, process.kill)
    timer.start()
    try:
        told = process.stdout.readline().split() or (0, 0)
        return float(told[0]), float(told[1])
    finally:
        timer.cancel()
        process.kill()
        process.communicate()


def _peers() -> str | None:
    """Install the peers beside us, where the package index has them."""
    python = PEERS / "bin" / "python"
    if (PEERS / "complete").exists():
        return str(python)
    uv = shutil.which("uv") or str(Path(__file__).parents[1] / ".cache" / "tools" / "bin" / "uv")
    try:
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(PEERS)], check=True)
        wanted = ["bytewax[kafka]", "quixstreams", "msgspec"]
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *wanted], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"  no peers to compare with: {error}")
        return None
    (PEERS / "complete").touch()
    return str(python)


def latency(broker: Broker, times: int, rng: random.Random) -> bool:
    """Send 5,000 events a second for some seconds. Figure: from event to live numbers p99 2 s."""
    del rng
    with World(broker) as world:
        numbers = Clocked(open_live(BESIDE, lake=world.lake.path))
        consumer = Consumer(
            lambda me: queues.open_source(world.settings, [world.settings.events], me), world.lake, numbers
        )
        thread = threading.Thread(target=consumer.run)
        thread.start()
        with world.load(1000, poison=0):
            time.sleep(5)  # it has joined, and nobody counts this
        numbers.delays.clear()
        with world.load(5000, poison=0):
            time.sleep(times)
        world.wait()
        consumer.stop()
        thread.join()
    p50, p99 = percentile(numbers.delays, 0.5), percentile(numbers.delays, 0.99)
    print(f"latency: from event to live numbers p50 {p50:.2f} s, p99 {p99:.2f} s at 5,000 events/s (figure 2 s)")
    return p99 <= 2


def memory(broker: Broker, times: int, rng: random.Random) -> bool:
    """Read 5,000 events a second for some minutes, with the limits of the product. Figure: memory flat (10%).

    Medians of the third fifth and of the last are compared: sorting what arrived
    takes more for some seconds every few minutes, which is the peak.
    """
    del rng
    seen = list[float]()
    limits = Limits()
    options = {"rows": limits.rows, "seconds": limits.seconds, "maintain": limits.maintain_batches}
    with World(broker) as world:
        child = world.child(*(f"--{name}={value}" for name, value in options.items()))
        with world.load(5000):
            until = time.monotonic() + 60 * times
            while time.monotonic() < until:
                time.sleep(1)
                if child.poll() is not None:
                    print(f"memory: the consumer ended after {len(seen)} s:\n{world.said()}")
                    return False
                seen.append(_resident(child.pid))
        finished = world.wait()
        stop(child)
    fifth = max(1, len(seen) // 5)
    begin, end = median(seen[2 * fifth : 3 * fifth]), median(seen[-fifth:])
    print(
        f"memory: {begin:.0f} MB after two fifths of {times} minutes, {end:.0f} MB at the end, peak {max(seen):.0f} MB"
        + ("" if finished else "; not all was read")
    )
    return finished and end <= 1.1 * begin


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def processes(broker: Broker, times: int, rng: random.Random) -> bool:
    """Read the same with one process and with two that share it, each with a core of its own. Figure: 1.7x.

    The broker has no third core here, so that what it takes is said beside.
    """
    del rng
    best, taken = {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0}
    with World(broker) as world:
        world.send(MANY)
        world.flush()
        for _ in range(max(1, times)):
            for count in (1, 2):
                world.renew("kafka-python")
                rate, share = _together(world, count)
                if rate > best[count]:
                    best[count], taken[count] = rate, share
    print(
        f"processes: one on its core {best[1]:,.0f} events/s, two {best[2]:,.0f}: {best[2] / best[1]:.2f}x (1.7x);"
        f" beside them the broker took {taken[1]:.0%} and {taken[2]:.0%} of a core"
    )
    return best[2] >= 1.7 * best[1]


def _together(world: World, count: int) -> tuple[float, float]:
    """Read a topic with some processes; return events a second, and the share of a core that the broker took.

    Joining is left out: the time runs from when each partition has moved until each is at its end.
    """
    more = ("--rows=100000", "--seconds=0.5", f"--maintain={10**9}", "--session=30")
    children = [world.child(*more, f"--core={number}") for number in range(count)]
    while not all(world.lake.position(f"{world.settings.events}-{number}") > 0 for number in range(PARTITIONS)):
        time.sleep(0.05)
    before, began, used = world.positions(), time.perf_counter(), world.broker.cpu_seconds()
    while world.positions() < MANY:
        time.sleep(0.1)
    seconds, used = time.perf_counter() - began, world.broker.cpu_seconds() - used
    for child in children:
        stop(child)
    return (MANY - before) / seconds, used / seconds
