"""What live numbers cost: per event to write, per transaction, and to read for a page.

Events are made up as a busy community sends them (every third a request with a response time, 20,000 people) and
prepared before the clock starts. Times are the fastest quarter's of many transactions, for the machine may be shared:
what an event costs is processor time of this process, how long a transaction holds the store is wall time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from workbench.metrics.live import LiveNumbers
from workbench.store.base import STORED_EVENT
from workbench.store.keys import user_key
from workbench.store.live import LiveStore
from workbench.store.live_redis import RedisBlobs
from workbench.store.live_sqlite import SQLiteBlobs

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.store.live import Get

MOST_MICROS = 2.0
MOST_MS = 10.0
"""Targets: processor time of an event in batches of 20,000, and how long a batch of 5,000 holds the store."""

START = datetime(2026, 1, 5, tzinfo=UTC)
PEOPLE = 20_000
TYPES = ["message_sent", "request", "ai_interaction", "session_started", "raid_joined"]
SHARES = [0.5, 0.22, 0.1, 0.17, 0.01]


def main(arguments: list[str]) -> int:
    """Print one row per size of batch, and what a page costs; 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench live", description=__doc__)
    parser.add_argument("--batches", type=int, default=60, help="transactions of each size")
    parser.add_argument("--redis", default="", help="redis://… to measure as well; what is there is forgotten")
    wanted = parser.parse_args(arguments)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        stores = {"sqlite": lambda name: LiveStore(SQLiteBlobs(Path(folder) / f"{name}.db"))}
        if wanted.redis:
            stores["redis"] = lambda name: LiveStore(RedisBlobs(wanted.redis, prefix=f"bench-{name}-{time.time()}"))
        for kind, opened in stores.items():
            for rows, rate in ((5_000, 5_000), (20_000, 5_000), (20_000, 300)):
                missed |= _write(kind, opened(f"{rows}-{rate}"), rows=rows, rate=rate, batches=wanted.batches)
    return missed


def _write(kind: str, live: LiveStore, *, rows: int, rate: int, batches: int) -> int:
    rng = np.random.default_rng(7)
    cpu, wall = [], []
    for turn in range(batches):
        events = _events(rng, rows, turn * rows, rate)
        held = _timed(live)
        before = time.process_time()
        now = START + timedelta(seconds=(turn + 1) * rows / rate)
        live.apply(events, moved={"events-0": (turn * rows, (turn + 1) * rows)}, rejected={}, now=now)
        cpu.append((time.process_time() - before) / rows * 1e6)
        wall.append(held[0] * 1e3)
    micros, ms = _quarter(cpu), _quarter(wall)
    page = _page(live)
    print(
        f"{kind:7s}{rows:7,} events a batch, {rate:5,} a second: {micros:5.2f} µs an event"
        + (f" (target {MOST_MICROS:g})" if rows == 20_000 else "")
        + f", {ms:5.1f} ms a transaction"
        + (f" (target {MOST_MS:g})" if rows == 5_000 else "")
        + f"; a page {page:5.1f} ms, {live.blobs.size / 1e6:6.1f} MB"
    )
    live.close()
    return int((rows == 20_000 and micros > MOST_MICROS) or (rows == 5_000 and ms > MOST_MS))


def _timed(live: LiveStore) -> list[float]:
    """Measure how long the next transaction holds the store: what is prepared before holds nobody up."""
    held = [0.0]
    change = type(live.blobs).change

    def measured(work: Callable[[Get], object]) -> object:
        began = time.perf_counter()
        result = change(live.blobs, work)
        held[0] = time.perf_counter() - began
        return result

    live.blobs.change = measured
    return held


def _page(live: LiveStore) -> float:
    """Read what a page shows each second, as it does after a batch."""
    took = []
    for _ in range(5):
        live._read = ("", {})
        began = time.perf_counter()
        numbers = LiveNumbers(live.picture())
        numbers.active_users(), numbers.volume(), numbers.performance(), numbers.raids()
        took.append((time.perf_counter() - began) * 1e3)
    return min(took)


def _quarter(times: list[float]) -> float:
    return float(np.mean(np.sort(times)[: max(len(times) // 4, 1)]))


KEYS = np.array([user_key(f"user {number}") for number in range(PEOPLE)])


def _events(rng: np.random.Generator, rows: int, position: int, rate: int) -> pa.Table:
    at = np.sort((position + np.arange(rows)) / rate * 1e6 + rng.integers(0, 500_000, rows)).astype(np.int64)
    who = rng.integers(0, PEOPLE, rows)
    types = rng.choice(len(TYPES), rows, p=SHARES)
    asked = [
        f'{{"endpoint": "/feed", "response_time_ms": {ms:.1f}, "status": 200}}' for ms in rng.lognormal(5, 0.5, rows)
    ]
    occurred = pa.array(at + int(START.timestamp() * 1e6), pa.timestamp("us", "UTC"))
    columns = {
        "event_id": pa.array([f"{position + row:032x}" for row in range(rows)]),
        "event_type": pa.array(TYPES).take(pa.array(types)),
        "user_id": pa.array([f"user {number}" for number in who]),
        "occurred_at": occurred,
        "platform": pa.array(["discord", "web", "telegram"]).take(pa.array(rng.integers(0, 3, rows))),
        "raid_id": pa.array([f"raid {number % 20}" for number in who]),
        "properties": pa.array([text if kind in {1, 2} else "{}" for text, kind in zip(asked, types, strict=True)]),
        "schema_version": pa.array(np.ones(rows, np.int32)),
        "ingested_at": occurred,
        "source": pa.array(["events-0"]).take(pa.array(np.zeros(rows, np.int64))),
        "position": pa.array(np.arange(position, position + rows)),
        "user_key": pa.array(KEYS[who]),
    }
    empty = {field.name: pa.nulls(rows, field.type) for field in STORED_EVENT if field.name not in columns}
    return pa.table({**columns, **empty}).select(STORED_EVENT.names).cast(STORED_EVENT)
