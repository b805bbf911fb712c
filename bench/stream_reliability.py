"""What a stream must survive, each against a ledger that is written before anything is sent."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from operator import gt
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from bench.stream_speed import BARE, BARE_FAST, rate
from bench.stream_world import POISON, World, percentile, stop
from workbench.events import EVENT_TABLE, MAX_MESSAGE
from workbench.ingest import queues, rejects
from workbench.ingest.consumer import Consumer
from workbench.ingest.failpoints import NAMES
from workbench.ingest.status import Limits, Status
from workbench.simulate import community, feed
from workbench.store.lake import LakeStore
from workbench.store.live_open import BESIDE, open_live

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from tests.kafka_broker import Broker

NEVER = 10**9
MIXED = 103_600
BLOCKS = 3


def _first_commit(world: World, process: subprocess.Popen, *, patience: float) -> float | None:
    """Return the seconds until a consumer that was just started commits; `None` if it does not."""
    began, before = time.monotonic(), world.positions()
    while time.monotonic() - began < patience and process.poll() is None:
        if world.positions() > before:
            return time.monotonic() - began
        time.sleep(0.02)
    return None


def kills(broker: Broker, times: int, rng: random.Random) -> bool:
    """Kill a consumer at random moments under load; each restart has to commit soon. Figure: 0/0, p99 5 s."""
    waits, total, done = list[float](), Counter[str](), 0
    while done < times:
        with World(broker) as world:
            kept = NEVER if rng.random() < 0.5 else 5
            with world.load(500):
                for _ in range(min(50, times - done)):
                    process = world.child("--instance=one", f"--maintain={kept}")
                    waited = _first_commit(world, process, patience=30)
                    if waited is not None:
                        waits.append(waited)
                        time.sleep(rng.uniform(0, 1.0))
                    stop(process, signal.SIGKILL)
                    done += 1
            last = world.child("--instance=one", f"--maintain={NEVER}")
            total["unfinished"] += not world.wait()
            stop(last)
            total += world.verdict()
            print(f"  {done} kills, {len(world.ledger):,} events, {dict(world.verdict())}", flush=True)
    p99, late = percentile(waits, 0.99), sum(wait > 5 for wait in waits)
    print(
        f"kills: {done} SIGKILLs at random moments, {_told(total)}; restart to first commit p50"
        f" {percentile(waits, 0.5):.2f} s, p99 {p99:.2f} s (figure 5 s), {late} above 5 s, {done - len(waits)} never"
    )
    return not any(total.values()) and p99 <= 5


def failpoints(broker: Broker, times: int, rng: random.Random) -> bool:
    """Die at each of the 12 named places, as often as wanted. Figure: 0/0."""
    total, died = Counter[str](), Counter[str]()
    for name in NAMES:
        with World(broker) as world:
            with world.load(300, poison=0.05):
                for _ in range(times):
                    died[name] += _dies(world, name, rng)
            last = world.child("--instance=one", f"--maintain={NEVER}")
            total["unfinished"] += not world.wait()
            stop(last)
            total += world.verdict()
    print(
        f"failpoints: {sum(died.values())} deaths at {len(died)} named places, {times} wanted at each, {_told(total)}"
    )
    return not any(total.values()) and all(died[name] == times for name in NAMES)


def _dies(world: World, name: str, rng: random.Random) -> bool:
    """Start a consumer that dies at a place; tell whether it did."""
    passes = 0 if name in {"on_assigned", "before_close"} else rng.randrange(4)
    process = world.child("--instance=one", f"--failpoint={name}", f"--passes={passes}", f"--maintain={NEVER}")
    if name == "before_close":
        _first_commit(world, process, patience=20)
        process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    died = process.poll() == -signal.SIGKILL
    stop(process, signal.SIGKILL)
    return died


def rebalances(broker: Broker, times: int, rng: random.Random) -> bool:
    """Let four consumers come, go, die and freeze beyond their session. Figure: 0/0, every zombie refused."""
    zombies, refused = list[subprocess.Popen](), 0
    with World(broker, session=3) as world:
        children = [world.child(f"--maintain={NEVER}") for _ in range(4)]
        with world.load(1000):
            for _ in range(times):
                time.sleep(rng.uniform(0.5, 1.5))
                number = rng.randrange(len(children))
                act, old = rng.choice(["freeze", "kill", "leave"]), children[number]
                said = stop(old, signal.SIGKILL if act == "kill" and old not in zombies else signal.SIGTERM)
                refused += old in zombies and _fenced(said) > 0
                frozen = ("--failpoint=before_history", f"--passes={rng.randrange(3)}", "--freeze")
                children[number] = world.child(f"--maintain={NEVER}", *(frozen if act == "freeze" else ()))
                if act == "freeze" and _is_frozen(children[number], patience=15):
                    if _taken_over(world):
                        zombies.append(children[number])
                    children[number].send_signal(signal.SIGCONT)
        finished = world.wait()
        refused += sum(_fenced(stop(child)) > 0 for child in children if child in zombies)
        for child in children:
            if child.poll() is None:
                stop(child)
        total = world.verdict() + Counter({"unfinished": int(not finished)})
        sent = len(world.ledger)
    print(
        f"rebalances: {times} with four consumers, {sent:,} events, {_told(total)}; {len(zombies)} were frozen in a"
        f" commit past their session, and {refused} of these refused"
    )
    return not any(total.values()) and refused == len(zombies)


def _taken_over(world: World) -> bool:
    """Wait until each partition was moved on, whoever had read it before."""
    before = world.positions_by_partition()
    return _until(lambda: all(map(gt, world.positions_by_partition(), before)), 30) < 30


def _is_frozen(process: subprocess.Popen, *, patience: float) -> bool:
    """Wait until a consumer has stopped itself."""
    state = Path(f"/proc/{process.pid}/stat")
    return _until(lambda: state.read_text().rpartition(")")[2].split()[0] == "T", patience) < patience


def _fenced(said: str) -> int:
    """Return how often a consumer was refused: the fourth word of its last line."""
    lines = [line.split() for line in said.splitlines() if line]
    return int(lines[-1][3]) if lines else 0


def outages(broker: Broker, times: int, rng: random.Random) -> bool:
    """Stop the broker under load, then let a backlog of 120,000 be read. Figure: 0/0, gone in 30 s."""
    if not broker.is_ours:
        print("outages: skipped, this broker is not ours to stop")
        return True
    with World(broker, session=10) as world:
        child = world.child("--instance=one", "--rows=20000", f"--maintain={NEVER}")
        with world.load(1000):
            _first_commit(world, child, patience=60)
            for _ in range(times):
                time.sleep(rng.uniform(1, 3))
                broker.stop(rng.choice([signal.SIGKILL, signal.SIGTERM]))
                time.sleep(rng.uniform(0.5, 3))
                broker.start()
        finished = world.wait()
        ended = int(child.poll() is not None)
        stop(child)
        world.send(120_000)
        world.flush()
        child, began = world.child("--instance=one", "--rows=20000", f"--maintain={NEVER}"), time.monotonic()
        finished &= world.wait()
        seconds = time.monotonic() - began
        stop(child)
        total = world.verdict() + Counter({"unfinished": int(not finished), "ended by itself": ended})
    print(f"outages: broker stopped {times} times, {_told(total)}; backlog of 120,000 gone in {seconds:.1f} s (30 s)")
    return not any(total.values()) and seconds <= 30


def _drain(world: World, **more: object) -> tuple[float, Status]:
    """Read all that was sent with a consumer in this process; return the seconds from its first poll on."""
    end = sum(bound.end for bound in queues.bounds(world.settings, world.settings.events).values())
    first = list[float]()

    def opened(listener: Consumer) -> object:
        source = queues.open_source(world.settings, [world.settings.events], listener)
        poll = source.poll

        def timed(seconds: float) -> object:
            fetched = poll(seconds)
            if fetched and not first:
                first.append(time.perf_counter())
            return fetched

        source.poll = timed
        return source

    consumer = Consumer(opened, world.lake, limits=Limits(seconds=0.2, maintain_batches=NEVER), **more)
    done = list[float]()

    def watch() -> None:
        while world.positions() < end:
            time.sleep(0.02)
        done.append(time.perf_counter())
        consumer.stop()

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = consumer.run()
    watcher.join()
    return done[0] - first[0], status


def poison(broker: Broker, times: int, rng: random.Random) -> bool:
    """Mix 36 kinds of poison, 100 of each, into 100,000 events, 3 times. Figure: all rejected rightly, 80% of clean.

    One kind is a message of more than a megabyte, which makes the topic six times as long: what the clients by
    themselves can read of it is printed beside, and clean messages of as many bytes are what poison is held to.
    """
    speeds, wrong = Counter[tuple[str, str]](), 0
    bare = {"kafka-python": BARE, "confluent": BARE_FAST}
    for kind in ("clean", "as long", "poisoned"):
        with World(broker) as world:
            for _ in range(BLOCKS):
                _mix(world, kind, rng)
            for client in [*bare] * max(1, times):
                alone = rate(sys.executable, bare[client], world, BLOCKS * MIXED)[0]
                speeds[kind, f"bare {client}"] = max(speeds[kind, f"bare {client}"], alone)
                world.renew(client)
                took, _ = _drain(world, live=open_live(BESIDE, lake=world.lake.path))
                speeds[kind, client] = max(speeds[kind, client], BLOCKS * MIXED / took)
                wrong += _wrongly_read(world, poisoned=kind == "poisoned")
    print(f"poison: {wrong} messages lost, doubled or rejected for a wrong reason")
    fair = [speeds["poisoned", client] / speeds["as long", client] for client in bare]
    for client, share in zip(bare, fair, strict=True):
        of_clean, alone = (speeds["poisoned", who] / speeds["clean", who] for who in (client, f"bare {client}"))
        print(
            f"  {client}: {share:.0%} of clean messages of as many bytes (figure 80%); {of_clean:.0%} of clean messages"
            f" of a sixth of the bytes, of which its bare loop has {alone:.0%}"
        )
    return wrong == 0 and min(fair) >= 0.8


def _mix(world: World, kind: str, rng: random.Random) -> None:
    """Send 100,000 events, and 3,600 of poison or, for comparison, of more events."""
    bad = [(name, value) for name, value, _ in POISON for _ in range(100)]
    places = {} if kind == "clean" else {place: bad.pop() for place in rng.sample(range(MIXED), len(bad))}
    for number in range(MIXED):
        name, value = places.get(number, ("", b""))
        if not name or (kind == "as long" and name != "too long"):
            world.send(1)
        elif kind == "as long":
            world.send(1, properties={"text": "x" * (MAX_MESSAGE - 500)})
        else:
            world.send_raw(value, key=b"%d" % number)
    world.flush()


def _wrongly_read(world: World, *, poisoned: bool) -> int:
    """Count messages that are not where they belong."""
    found = Counter(row.reason for row in rejects.list_(world.lake.control))
    wanted = Counter({reason: 0 for _, _, reason in POISON})
    for _, _, reason in POISON:
        wanted[reason] += BLOCKS * 100 * poisoned
    verdict = world.verdict()
    return sum(((found - wanted) + (wanted - found)).values()) + sum(
        verdict[name] for name in ("lost", "doubled", "foreign")
    )


def full(broker: Broker, times: int, rng: random.Random) -> bool:
    """Fill the disk under load. Figure: says so within 5 s, goes on within 5 s after there is space, 0/0."""
    said, resumed, total = list[float](), list[float](), Counter[str]()
    with World(broker) as world, _small_disk(world.folder / "small") as disk:
        if disk is None:
            print("full: skipped, no small disk can be mounted here")
            return True
        world.lake = LakeStore(disk / "lake")
        consumer = Consumer(
            lambda me: queues.open_source(world.settings, [world.settings.events], me),
            world.lake,
            limits=Limits(seconds=0.2, maintain_batches=NEVER),
        )
        thread = threading.Thread(target=consumer.run)
        thread.start()
        with world.load(1000):
            for _ in range(times):
                time.sleep(2)
                _fill(disk / "ballast")
                said.append(_until(lambda: consumer.status().trouble is not None))
                time.sleep(rng.uniform(0.5, 3))
                (disk / "ballast").unlink()
                at = world.positions()
                resumed.append(_until(lambda at=at: world.positions() > at))
        total["unfinished"] += not world.wait()
        consumer.stop()
        thread.join()
        total += world.verdict()
    print(
        f"full: disk filled {times} times, {_told(total)}; said within {max(said):.1f} s, on again within"
        f" {max(resumed):.1f} s (figures 5 s)"
    )
    return not any(total.values()) and max(said) <= 5 and max(resumed) <= 5


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """Mount 64 MB of memory as a disk, where that is allowed."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * (1 << 16))
            file.flush()


def _until(happened: object, patience: float = 30) -> float:
    began = time.monotonic()
    while not happened() and time.monotonic() - began < patience:
        time.sleep(0.02)
    return time.monotonic() - began


def disorder(broker: Broker, times: int, rng: random.Random) -> bool:
    """Send 20% twice and 30% up to 48 hours late. Figure: hourly numbers equal those of the events as they were."""
    differing = hours = 0
    for _ in range(max(1, times)):
        with World(broker) as world:
            events = pa.concat_tables(list(community(users=300, days=10, seed=rng.randrange(1000)))).cast(EVENT_TABLE)
            planned = feed.of(
                events, disorder=feed.Disorder(duplicates=0.2, shuffled=0.3, within=48), seed=rng.randrange(1000)
            )
            pace = feed.Pace(speed=1e9, keep_times=True, begin=events["occurred_at"][0].as_py())
            feed.send(planned, lambda value, key, out=world._outlet: out.send(value, key=key), pace)
            world.flush()
            _drain(world)
            told = world.lake.snapshot().query(_HOURLY).to_pylist()
            oracle = _hourly(events)
            hours += len(oracle)
            differing += sum(oracle.get(row["hour"]) != (row["events"], row["people"]) for row in told)
            differing += abs(len(told) - len(oracle))
    print(f"disorder: {differing} of {hours:,} hourly numbers differ from those of the events as they were")
    return differing == 0


_HOURLY = """
    SELECT epoch(date_trunc('hour', occurred_at))::BIGINT AS hour, count(*) AS events, count(DISTINCT user_id) AS people
    FROM events GROUP BY hour
"""


def _hourly(events: pa.Table) -> dict[int, tuple[int, int]]:
    """Count slowly and obviously: each event id once."""
    seen: dict[int, tuple[set[str], set[str]]] = {}
    for row in events.select(["event_id", "user_id", "occurred_at"]).to_pylist():
        hour = int(row["occurred_at"].timestamp()) // 3600 * 3600
        ids, people = seen.setdefault(hour, (set(), set()))
        ids.add(row["event_id"])
        people.add(row["user_id"])
    return {hour: (len(ids), len(people)) for hour, (ids, people) in seen.items()}


def _told(total: Counter[str]) -> str:
    wrong = {name: count for name, count in total.items() if count}
    return f"{wrong}" if wrong else "0 lost, 0 doubled"
