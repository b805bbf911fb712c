"""Live numbers are those of history, whoever reads which partition, dies where, and repeats what by another one."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.ingest.queue import Queue
from tests.ingest.test_consumer import QUICK, Crash, consume
from tests.store.conftest import Opener, redis_server  # noqa: F401 - a fixture
from workbench.ingest import rejects
from workbench.ingest.failpoints import NAMES, Failpoints
from workbench.metrics.live_check import live_check
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_live import ViewsLive
from workbench.store.lake import LakeStore
from workbench.store.live_state import Policy

BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
"""Views look at what is recent only."""

KINDS = ["request", "message_sent", "ai_interaction"]


def event(number, at, user=None):
    return json.dumps(
        {
            "event_id": f"e{number}",
            "event_type": KINDS[number % 3],
            "user_id": user or f"user-{number % 17}",
            "platform": ("web", "discord")[number % 2],
            "occurred_at": at.isoformat(),
            "properties": {"response_time_ms": number % 97},
        }
    ).encode()


def partitions(chance, *, count=260):
    """Return two logs of some minutes; every fourth event comes again by the other one, with another time or not."""
    logs = {"t-0": [], "t-1": []}
    for number in range(count):
        at, mine = BEGIN + timedelta(seconds=number * 1.1), chance.choice([*logs])
        other = "t-1" if mine == "t-0" else "t-0"
        logs[mine].append(event(number, at))
        if chance.random() < 0.25:
            later = chance.choice([0, 0, 0.3, 75])
            again = event(number, at + timedelta(seconds=later), chance.choice([None, None, None, "somebody else"]))
            place = max(0, len(logs[other]) - chance.randrange(30))
            logs[other].insert(place, again)
        if chance.random() < 0.03:
            logs[mine].append(b"poison")
    return logs


class House:
    """One history, opened by each process, and live numbers beside it."""

    def __init__(self, request, folder):
        store, _, live = request.param.partition(" ")
        self.folder = folder
        if store == "chdb":
            self.house = ClickHouseStore("chdb://:memory:", control=folder)
            self.house.clear()
        self.is_lake = store == "lake"
        self.opener = None if live == "views" else Opener(live, folder, request)

    def history(self):
        return LakeStore(self.folder / "lake") if self.is_lake else self.house

    def live(self):
        return self.opener() if self.opener else ViewsLive(self.house, Policy())

    def close(self):
        for blobs in self.opener.opened if self.opener else ():
            blobs.close()
        if not self.is_lake:
            self.house.clear()
            self.house.close()


@pytest.fixture(params=["lake sqlite", "lake redis", "chdb sqlite", "chdb views"])
def house(request, tmp_path):
    house = House(request, tmp_path)
    yield house
    house.close()


def dying(chance):
    """Die at some place, at some time."""
    left = [chance.randrange(4)]

    def crash():
        left[0] -= 1
        if left[0] == -1:
            raise Crash

    return Failpoints({chance.choice(NAMES): crash})


def process(house, logs, names, **more):
    """Read some partitions as a process of its own does."""
    with contextlib.suppress(Crash):
        consume(Queue({name: logs[name] for name in names}), house.history(), house.live(), limits=QUICK, **more)


def together(house, logs, shares, chance, *, kill):
    threads = [
        threading.Thread(
            target=process,
            args=(house, logs, names),
            kwargs={"seconds": 30, **({"failpoints": dying(chance)} if kill else {})},
        )
        for names in shares
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("seed", range(3))
def test_live_numbers_are_those_of_history_in_spite_of_repeats_and_kills(house, seed):
    chance = random.Random(seed)  # noqa: S311 - made-up events
    logs = partitions(chance)
    for turn in range(4):
        some = {name: log[: len(log) * (turn + 1) // 4] for name, log in logs.items()}
        shares = [["t-0"], ["t-1"]] if turn % 2 else [["t-1"], ["t-0"]]
        together(house, some, shares, chance, kill=True)
    together(house, logs, [["t-0"], ["t-1"]], chance, kill=False)
    history, live = house.history(), house.live()
    check = live_check(history, live)
    assert check.frame["residual"].sum() == 0, check.frame
    assert check.frame.set_index("number").loc["events", "live"] > 200
    rows = history.snapshot().query("SELECT event_id FROM events")
    assert sorted(rows["event_id"].to_pylist()) == sorted({f"e{number}" for number in range(260)})
    refused = len(rejects.list_(history.control))
    assert len(rejects.list_(history.control, reason="conflicting_id")) > 10
    if house.opener:
        sources = live.state().sources.values()
        assert sum(source.rejected for source in sources) == refused
        counted = sum(source.counted + source.duplicate + source.late + source.rejected for source in sources)
        assert counted == sum(map(len, logs.values()))
