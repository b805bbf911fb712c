"""What happens to a ClickHouse cluster while four writers work, and what must be in it all the same: each event once.

Writers are in processes of their own, on different nodes, and bring events of their own and events that all of them
bring. Meanwhile a replica, a shard or the Keeper is killed and comes back. Without `--store` two shards are started
here, of one replica each, so that writers and a shard can be tried; for the rest name a running cluster and how its
nodes are killed and started.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tests.clickhouse_shards import CLUSTER, TwoShards
from workbench.errors import StoreAway, StoreConflict
from workbench.events import to_table
from workbench.ingest.patience import Patient
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_schema import Shape
from workbench.testing import START, events_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.synchronize import Event

WRITERS: Final = 4
OWN, SHARED = 80, 20
"""Events of a batch that its writer alone brings, and of every `SHARED_EVERY`th one that all writers bring."""

SHARED_EVERY: Final = 4

PATIENCE_SECONDS: Final = 300.0
VERDICT_SECONDS: Final = 120.0
"""How long the cluster may take to answer after a scene: replicas catch up."""

EXAMPLE: Final = """example, of a cluster whose nodes scripts start and kill:
  python -m bench cluster chaos --store clickhouse://10.0.0.1:8123/default --store clickhouse://10.0.0.4:8123/default
    --up 'ssh {node} systemctl start clickhouse-server' --down 'ssh {node} systemctl kill -s KILL clickhouse-server'
    --replica 10.0.0.2 --shard 10.0.0.3 --shard 10.0.0.4"""


@dataclass(frozen=True)
class Scene:
    """What is killed while writers are at work.

    Attributes:
        name: What it is called.
        nodes: What is killed, and comes back.
    """

    name: str
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """A cluster under test.

    Attributes:
        dsns: Addresses of nodes that writers use in turn.
        shape: Its name, and how many replicas have a batch before it counts.
        up: Starts a node.
        down: Kills a node.
    """

    dsns: tuple[str, ...]
    shape: Shape
    up: Callable[[str], object]
    down: Callable[[str], object]


def main(arguments: list[str]) -> int:
    """Play each scene; 1 if an event was lost or doubled."""
    parser = argparse.ArgumentParser(
        prog="python -m bench cluster chaos", description=__doc__, epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--store", action="append", default=[], help="address of a node; several, for several nodes")
    parser.add_argument("--cluster", default=CLUSTER, help="its name in the servers' configuration")
    parser.add_argument("--quorum", default="majority", help="`majority` or a number: the setting insert_quorum")
    parser.add_argument("--up", default="", help="shell command that starts {node}")
    parser.add_argument("--down", default="", help="shell command that kills {node}")
    parser.add_argument("--replica", action="append", default=[], help="node that is one of several replicas")
    parser.add_argument("--shard", action="append", default=[], help="node of a shard all of whose replicas are killed")
    parser.add_argument("--keeper", action="append", default=[], help="node of the Keeper")
    parser.add_argument("--seconds", type=float, default=8, help="before, during and after a fault, each")
    options = parser.parse_args(arguments)
    if bool(options.store) != bool(options.up and options.down):
        parser.error("--store needs --up and --down, and they need --store")
    quorum = options.quorum if options.quorum == "majority" else int(options.quorum)
    shape = Shape(options.cluster, insert_quorum=quorum)
    if not options.store:
        return _on_two_shards(options.seconds, shape)
    scenes = [Scene("four writers"), Scene("replica killed", (*options.replica,))]
    scenes += [Scene("shard killed", (*options.shard,)), Scene("Keeper killed", (*options.keeper,))]
    cluster = Cluster((*options.store,), shape, _shell(options.up), _shell(options.down))
    return _play(cluster, [scene for scene in scenes if scene.nodes or scene is scenes[0]], options.seconds)


def _on_two_shards(seconds: float, shape: Shape) -> int:
    print("two shards of one replica: killing a replica or the Keeper needs --store, --up and --down", flush=True)
    shards = TwoShards()
    try:
        nodes = dict(zip(("first", "second"), shards.nodes, strict=True))
        cluster = Cluster(tuple(shards.dsns), shape, lambda name: nodes[name].start(), lambda name: nodes[name].stop())
        scenes = [Scene("four writers"), Scene("shard killed", ("second",)), Scene("first node killed", ("first",))]
        return _play(cluster, scenes, seconds)
    finally:
        shards.close()


def _shell(command: str) -> Callable[[str], object]:
    return lambda node: subprocess.run(command.replace("{node}", node), shell=True, check=True)  # noqa: S602 - the user's


def _play(cluster: Cluster, scenes: Sequence[Scene], seconds: float) -> int:
    for dsn in cluster.dsns:
        ClickHouseStore(dsn, shape=cluster.shape).close()
    verdicts = [_scene(cluster, scene, seconds) for scene in scenes]
    return int(any(verdict["lost"] or verdict["doubled"] or verdict["foreign"] for verdict in verdicts))


def _scene(cluster: Cluster, scene: Scene, seconds: float) -> Counter[str]:
    """Let writers work, kill and start nodes meanwhile, and compare what is there with what was sent."""
    token, context = secrets.token_hex(3), multiprocessing.get_context("spawn")
    stop, batches = context.Event(), [context.Value("q", 0) for _ in range(WRITERS)]
    writers = [
        context.Process(
            target=_write, args=(cluster.dsns, cluster.shape, token, number, batches[number], stop), daemon=True
        )
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    _wait(lambda: all(count.value for count in batches))
    time.sleep(seconds)
    before = sum(count.value for count in batches)
    for node in scene.nodes:
        cluster.down(node)
    time.sleep(seconds)
    during = sum(count.value for count in batches) - before
    for node in scene.nodes:
        cluster.up(node)
    back, at = time.monotonic(), [count.value for count in batches]
    _wait(lambda: all(count.value > each for count, each in zip(batches, at, strict=True)))
    resumed = time.monotonic() - back
    time.sleep(seconds)
    stop.set()
    for writer in writers:
        writer.join(PATIENCE_SECONDS)
    verdict = _verdict(cluster, token, [count.value for count in batches])
    verdict["broken writers"] = sum(writer.exitcode != 0 for writer in writers)
    print(
        f"{scene.name:18} {sum(count.value for count in batches):5} batches, {verdict['rows']:7,} events;"
        f" {during} batches meanwhile; all writers on again after {resumed:.1f} s;"
        f" {verdict['lost']} lost, {verdict['doubled']} doubled, {verdict['foreign']} foreign,"
        f" {verdict['broken writers']} writers ended",
        flush=True,
    )
    return verdict


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def _write(dsns: Sequence[str], shape: Shape, token: str, number: int, batches: object, stop: Event) -> None:
    """Write batch after batch, as ingest does, until it is told to stop."""
    os.environ.pop("WORKBENCH_STORE", None)
    store = ClickHouseStore(dsns[number % len(dsns)], create=False, shape=shape)
    place, size, source = Patient(store, patience=PATIENCE_SECONDS), OWN + SHARED, f"chaos-{token}-{number}"
    while not stop.is_set():
        turn = batches.value
        names = _names(token, number, turn)
        events = to_table([event for name in names for event in events_of({name: "view:0"})])
        events = events.append_column("position", pa.array(range(turn * size, (turn + 1) * size), pa.int64()))
        _commit(place, events, source=source, start=turn * size)
        batches.value = turn + 1
    store.close()


def _commit(place: Patient, events: pa.Table, *, source: str, start: int) -> None:
    """Commit a batch, however often others are faster."""
    end = start + events.num_rows
    while True:
        try:
            place.append(events, source=source, start=start, end=end, ingested_at=START)
        except StoreConflict:
            position = place.position(source)
            if position == end:
                return
            if position != start:
                raise
        else:
            return


def _names(token: str, number: int, turn: int) -> list[str]:
    own = [f"{token}-{number}-{turn}-{each}" for each in range(OWN)]
    few = [f"{token}-{'all' if turn % SHARED_EVERY == 0 else number}-{turn}-few-{each}" for each in range(SHARED)]
    return own + few


def _verdict(cluster: Cluster, token: str, batches: Sequence[int]) -> Counter[str]:
    """Compare what is there with what was sent."""
    sent = {
        f"{name}/0/view"
        for number, count in enumerate(batches)
        for turn in range(count)
        for name in _names(token, number, turn)
    }
    deadline = time.monotonic() + VERDICT_SECONDS
    while True:
        try:
            store = ClickHouseStore(cluster.dsns[-1], create=False, shape=cluster.shape)
            sql = "SELECT event_id FROM events WHERE startsWith(event_id, $token)"
            ids = Counter(store.snapshot().query(sql, {"token": f"{token}-"})["event_id"].to_pylist())
            store.close()
            break
        except StoreAway:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
    return Counter(
        lost=len(sent - ids.keys()), doubled=ids.total() - len(ids), foreign=len(ids.keys() - sent), rows=len(ids)
    )
