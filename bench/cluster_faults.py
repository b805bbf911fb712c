"""What a ClickHouse server may do to those that write to it, and what must be there all the same: each event once.

A proxy stands between the writer and a real server: it hangs up on everybody, is slow, loses answers, or cuts requests.
"""

from __future__ import annotations

import argparse
import resource
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

from tests.clickhouse_proxy import CUT, PASS, STALL, SWALLOW, between
from tests.clickhouse_server import server
from workbench.events import to_table
from workbench.ingest.patience import Patient
from workbench.store.clickhouse import ClickHouseStore
from workbench.testing import START, events_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = "INSERT INTO `events`"
BATCH = 200
RESUME_SECONDS = 10.0
"""How soon after the server is back something must be committed again."""

MOST_GROWTH_MB = 60
"""How much the writer may grow while the server is away."""


def main(arguments: list[str]) -> int:
    """Tell each story; 1 if an event was lost or doubled, or the writer did not go on."""
    parser = argparse.ArgumentParser(prog="python -m bench cluster faults", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="how often the server goes away")
    parser.add_argument("--seconds", type=float, default=60, help="for how long")
    wanted = parser.parse_args(arguments)
    house = server()
    try:
        return int(not (down(house, wanted.times, wanted.seconds) & slow(house) & unanswered(house)))
    finally:
        house.close()


class Writer:
    """Writes batches one after the other, as ingest does, until it is told to stop; what it sent is in `ledger`."""

    def __init__(self, dsn: str) -> None:
        """Begin with an empty store."""
        self.store = ClickHouseStore(dsn)
        self.store.clear()
        self.place = Patient(self.store)
        self.ledger: list[str] = []
        self.committed_at = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            self.write(number)
            number += 1

    def write(self, number: int) -> None:
        """Write one batch, however often that has to be tried."""
        names = [f"p{number}-{each}" for each in range(BATCH)]
        events = to_table([event for name in names for event in events_of({name: "view:0"})])
        self.ledger += events["event_id"].to_pylist()
        start = number * BATCH
        events = events.append_column("position", pa.array(range(start, start + BATCH), pa.int64()))
        self.place.append(events, source="s", start=start, end=start + BATCH, ingested_at=START)
        self.committed_at = time.monotonic()

    def verdict(self, dsn: str) -> Counter[str]:
        """Compare what is there with what was sent."""
        store = ClickHouseStore(dsn)
        there = Counter(store.snapshot().query("SELECT event_id FROM events")["event_id"].to_pylist())
        store.close()
        return Counter(
            lost=len(set(self.ledger) - set(there)), doubled=sum(times - 1 for times in there.values()),
            foreign=len(set(there) - set(self.ledger)),
        )  # fmt: skip


def down(house: object, times: int, seconds: float) -> bool:
    """Let the server be away again and again. Figure: 0/0, memory bounded, and it goes on by itself."""
    resumed, grown = [], []
    with between(house.port) as proxy:
        writer = Writer(proxy.dsn(timeout=5))
        with writer:
            for _ in range(times):
                time.sleep(3)
                before = _memory()
                proxy.refuses = True
                time.sleep(seconds)
                grown.append(_memory() - before)
                back, proxy.refuses = time.monotonic(), False
                while writer.committed_at < back and time.monotonic() - back < 60:
                    time.sleep(0.05)
                resumed.append(writer.committed_at - back)
            time.sleep(2)
        found = writer.verdict(house.dsn)
    print(
        f"down: away {times} times for {seconds:g} s; of {len(writer.ledger):,} events {found['lost']} lost,"
        f" {found['doubled']} doubled, {found['foreign']} foreign; on again after {max(resumed):.1f} s at most; memory"
        f" grew by {max(grown):.0f} MB at most",
        flush=True,
    )
    return not any(found.values()) and max(resumed) <= RESUME_SECONDS and max(grown) <= MOST_GROWTH_MB


def slow(house: object) -> bool:
    """Let every answer take a second longer. Figure: 0/0."""
    with between(house.port) as proxy:
        writer = Writer(proxy.dsn(timeout=30))
        proxy.delay = 1.0
        with writer:
            time.sleep(60)
        proxy.delay = 0.0
        found = writer.verdict(house.dsn)
    print(
        f"slow: each request takes a second longer; {len(writer.ledger):,} events in a minute, {found['lost']} lost,"
        f" {found['doubled']} doubled",
        flush=True,
    )
    return not any(found.values()) and len(writer.ledger) > BATCH


def unanswered(house: object) -> bool:
    """Lose the answer of 50 inserts that were applied, and cut 50 off in the middle. Figure: each counts once."""
    good = True
    for fault, told in ((SWALLOW, "applied, and no answer came"), (CUT, "cut off in the middle"), (STALL, "timed out")):
        with between(house.port) as proxy:
            writer = Writer(proxy.dsn(timeout=1))
            proxy.fault = _every_other(fault)
            number = 0
            while proxy.count(fault) < 50:
                writer.write(number)
                number += 1
            proxy.fault = lambda _: PASS
            found = writer.verdict(house.dsn)
        once = proxy.count(fault) - found["lost"] - found["doubled"]
        good &= not any(found.values())
        print(f"{fault}: {proxy.count(fault)} inserts {told}; {once} of them counted once; {dict(found)}", flush=True)
    return good


def _every_other(fault: str) -> Callable[[str], str]:
    """Do something to the first try of each insert of rows, not to the second."""
    turn = [0]

    def does(statement: str) -> str:
        if ROWS not in statement:
            return PASS
        turn[0] += 1
        return fault if turn[0] % 2 else PASS

    return does


def _memory() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6
