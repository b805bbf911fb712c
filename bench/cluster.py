"""How fast ClickHouse is filled, and how fast it answers: each question beside SQL that an expert wrote by hand for it.

The engine runs in this process, so that the processor seconds of both are those of the process, whoever else is busy.
Hand-written SQL asks the same table, knows nothing of versions, segments or options, and returns the counts that the
answer's frame has. Of funnels it counts who got how far, as `windowFunnel` can: the questions also say when. A
community of 2 M events is simulated once and kept in `.cache/bench`; it is loaded ten times under other names.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import workbench as wb
from workbench.events import EVENT_TABLE

FOLDER = Path(".cache/bench")
USERS = 13_600
MOST = 1.3
"""Times that a question may take of what hand-written SQL takes."""

LEAST_ROWS = 500_000
"""Rows a second and core, with all that the engine does meanwhile."""

AT_ONCE = 1_000_000
NOW = "2026-11-23"
STEPS = ["user_joined", "first_message", "raid_joined", "wallet_connected"]
WEEK = 604_800_000_000
CODES = ", ".join(f"event_type = '{step}'" for step in STEPS)
FUNNEL = (
    "SELECT level, count() FROM (SELECT user_key, windowFunnel({within}{mode})"
    f"(toUInt64(toUnixTimestamp64Micro(occurred_at)), {CODES}) AS level FROM events WHERE {{where}} GROUP BY user_key) "
    "WHERE level > 0 GROUP BY level"
)
NAMES = ", ".join(f"'{step}'" for step in STEPS)
RETENTION = """
    SELECT cohort, arrayJoin(active) - cohort AS period, count() FROM (
        SELECT user_key,
            minIf(intDiv(toRelativeDayNum(occurred_at) - 4, 7), event_type = 'user_joined') AS cohort,
            groupUniqArray(intDiv(toRelativeDayNum(occurred_at) - 4, 7)) AS active
        FROM events GROUP BY user_key HAVING countIf(event_type = 'user_joined') > 0
    ) GROUP BY cohort, period HAVING period >= 0
"""
TRANSITIONS = """
    SELECT before, event_type, count() FROM (
        SELECT event_type, occurred_at, user_key,
            lagInFrame(event_type) OVER w AS before, lagInFrame(occurred_at) OVER w AS at
        FROM events WINDOW w AS (PARTITION BY user_key ORDER BY occurred_at)
    ) WHERE occurred_at - at < 1800 GROUP BY before, event_type
"""
PAIRS = """
    SELECT a, b, count() FROM (
        SELECT user_key, arraySort(groupUniqArray(assumeNotNull(platform))) AS p FROM events
        WHERE platform IS NOT NULL GROUP BY user_key
    ) ARRAY JOIN p AS a ARRAY JOIN p AS b WHERE a < b GROUP BY a, b
"""
LIFECYCLE = """
    SELECT week, countIf(before = 0), countIf(before = week - 1), countIf(before > 0 AND before < week - 1) FROM (
        SELECT week, if(i = 1, 0, weeks[i - 1]) AS before FROM (
            SELECT arraySort(groupUniqArray(toUInt32(intDiv(toRelativeDayNum(occurred_at) - 4, 7)))) AS weeks
            FROM events GROUP BY user_key
        ) ARRAY JOIN weeks AS week, arrayEnumerate(weeks) AS i
    ) GROUP BY week
"""
MESSAGES = "event_type IN ('first_message', 'message_sent')"
DAILY = """
    SELECT day, sum(active), sum(new), sum(events) FROM (
        SELECT toDate(occurred_at) AS day, uniqExact(user_key) AS active, 0 AS new, count() AS events FROM events
        GROUP BY day
        UNION ALL
        SELECT toDate(first) AS day, 0, count(), 0 FROM (SELECT min(occurred_at) AS first FROM events GROUP BY user_key)
        GROUP BY day
    ) GROUP BY day
"""
PLATFORMS = """
    SELECT platform, count(), countIf(place = 1), sum(n) FROM (
        SELECT platform, n, row_number() OVER (PARTITION BY user_key ORDER BY n DESC, platform) AS place FROM (
            SELECT user_key, platform, count() AS n FROM events GROUP BY user_key, platform
        )
    ) GROUP BY platform
"""
WRITTEN = f"""
    SELECT toDate(occurred_at) AS day, platform, count(), countIf({MESSAGES}) FROM events WHERE platform IS NOT NULL
    GROUP BY day, platform
"""
RAIDS = """
    SELECT raid_id, minIf(occurred_at, event_type = 'raid_started'), maxIf(occurred_at, event_type = 'raid_ended'),
        uniqExactIf(user_key, event_type = 'raid_joined'), countIf(event_type = 'raid_action'),
        argMaxIf(JSONExtractBool(properties, 'success'), occurred_at, event_type = 'raid_ended')
    FROM events WHERE raid_id IS NOT NULL GROUP BY raid_id
"""

QUESTIONS: dict[str, tuple[str, ...]] = {
    "ordered funnel, 4 steps, 7 days": (
        f"bench.funnel({STEPS}, now='{NOW}')",
        FUNNEL.format(within=WEEK, mode="", where=f"event_type IN ({NAMES})"),
    ),
    "strict funnel": (
        f"bench.funnel({STEPS}, order='strict', now='{NOW}')",
        FUNNEL.format(within=WEEK, mode=", 'strict_order'", where="true"),
    ),
    "weekly retention": (f"bench.retention(now='{NOW}')", RETENTION),
    "daily active users": (
        f"bench.active_users(now='{NOW}')",
        DAILY,
    ),
    "weekly active users, trailing": (
        f"bench.active_users(window='7d', now='{NOW}')",
        "SELECT arrayJoin(range(0, 7)) + toDate(occurred_at) AS day, uniqExact(user_key) FROM events GROUP BY day",
    ),
    "lifecycle by week": (f"bench.lifecycle(now='{NOW}')", LIFECYCLE),
    "transitions of sessions": (f"bench.journeys(now='{NOW}').transitions()", TRANSITIONS),
    "platform pairs": (f"bench.platforms(now='{NOW}')", PAIRS, WRITTEN),
    "message volume": (
        f"bench.message_volume(now='{NOW}')",
        f"SELECT toDate(occurred_at) AS day, count(), uniqExact(user_key) FROM events WHERE {MESSAGES} GROUP BY day",
    ),
    "platform distribution": (
        f"bench.platform_distribution(now='{NOW}')",
        PLATFORMS,
    ),
    "event volume by hour": (
        f"bench.event_volume(width='1h', now='{NOW}')",
        "SELECT toStartOfHour(occurred_at) AS h, platform, event_type, count() FROM events GROUP BY h, platform, "
        "event_type",
    ),
    "raid activity": (
        f"bench.raid_activity(now='{NOW}')",
        RAIDS,
    ),
}
"""What is asked, and the SQL that answers no more than that."""


def sample() -> pa.Table:
    """Return the events of a community, simulated once."""
    file = FOLDER / f"cluster-{USERS}.parquet"
    if not file.exists():
        command = [sys.executable, "-m", "workbench", "simulate", "--users", str(USERS), "--days", "120"]
        subprocess.run([*command, "--out", str(file)], check=True, capture_output=True)
    return pq.read_table(file)


def renamed(events: pa.Table, number: int) -> pa.Table:
    """Return the same events of other people."""
    columns = {name: events[name] for name in EVENT_TABLE.names}
    for name in ("event_id", "user_id"):
        columns[name] = pc.binary_join_element_wise(events[name].cast(pa.string()), f"~{number}", "")
    return pa.table(columns).cast(EVENT_TABLE)


def load(store: Any, times: int) -> float:  # noqa: ANN401
    """Load the sample so many times; return how many rows a second and core, merges included, also those after it."""
    events, rows, wall, ours = sample(), 0, 0.0, 0.0
    at_first = time.process_time()
    for number in range(times):
        before = time.thread_time()
        table = renamed(events, number)
        table = table.append_column("position", pa.array(range(table.num_rows), pa.int64()))
        ours += time.thread_time() - before
        for start in range(0, table.num_rows, AT_ONCE):
            some, began = table.slice(start, AT_ONCE), time.perf_counter()
            end = start + some.num_rows
            store.append(some, source=f"s{number}", start=start, end=end, ingested_at=datetime.now(UTC))
            wall, rows = wall + time.perf_counter() - began, rows + some.num_rows
        while number == times - 1 and store.read("SELECT * FROM system.merges").num_rows:
            time.sleep(0.1)
        rate = rows / (time.process_time() - at_first - ours)
        print(f"  {rows:>12,} rows, {rows / wall:>9,.0f}/s, {rate:>9,.0f}/s a core", flush=True)
    return rate


def timed(call: Any, times: int) -> tuple[float, float]:  # noqa: ANN401
    """Return the least wall seconds and the least processor seconds of several calls."""
    call()
    walls, used = [], []
    for _ in range(times):
        wall, busy = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        used.append(time.process_time() - busy)
    return min(walls), min(used)


def main(arguments: list[str]) -> int:
    """Fill a house, ask it, and compare; return 1 where a figure is missed.

    `faults` tells what a server may do, `chaos` what may happen to a cluster.
    """
    if arguments[:1] == ["faults"]:
        from bench import cluster_faults  # noqa: PLC0415 - it starts a server

        return cluster_faults.main(arguments[1:])
    if arguments[:1] == ["chaos"]:
        from bench import cluster_chaos  # noqa: PLC0415

        return cluster_chaos.main(arguments[1:])
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=10, help="how often the 2 M events are loaded")
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--only", default="")
    options.add_argument("--keep", action="store_true", help="ask what was loaded before")
    given = options.parse_args(arguments)
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ["WORKBENCH_CONTROL"] = str(FOLDER / "control")
    house, missed = FOLDER / "house", 0
    if not given.keep:
        shutil.rmtree(house, ignore_errors=True)
    bench = wb.open(f"chdb://{house.absolute()}", create=True)
    if not given.keep:
        missed |= load(bench.store, given.times) < LEAST_ROWS
        bench.store.maintain(full=True)
        bench.refresh()
    missed |= ask(bench, given.only, given.repeat)
    return int(missed)


def ask(bench: Any, only: str, repeat: int) -> bool:  # noqa: ANN401
    """Ask every question both ways; tell whether one takes too long."""
    (row,) = bench.snapshot.query("SELECT count(*) AS n FROM events").to_pylist()
    print(
        f"  {row['n']:,} events; wall and processor seconds of the question, of SQL by hand, and how often the latter"
    )
    results = {}
    for name, (question, *statements) in QUESTIONS.items():
        if only in name:
            asked = timed(lambda: eval(question, {"bench": bench}), repeat)  # noqa: B023, S307 - our own words
            by_hand = timed(lambda: [bench.store._select(sql, {}) for sql in statements], repeat)  # noqa: B023
            ratios = [one / other for one, other in zip(asked, by_hand, strict=True)]
            results[name] = ratios
            figures = " ".join(f"{one:7.3f} {other:7.3f}" for one, other in (asked, by_hand))
            print(f"  {name:34} {figures}   {ratios[0]:5.2f}x {ratios[1]:5.2f}x", flush=True)
    (FOLDER / "cluster.json").write_text(json.dumps(results))
    return any(min(ratios) > MOST for ratios in results.values())
