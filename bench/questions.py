"""How fast each question is, beside a scan of the columns that it needs, and beside peers on the same events.

The yardstick (1x) is DuckDB adding up who, when and what over all files of the lake: nothing can be answered for
less. Each question runs in a process of its own, with two threads, a few times in turn with the yardstick; the best of
each counts. Peers read the same Parquet files. The lake is simulated once for each size and kept in `.cache/bench`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import workbench as wb
from bench.peers import window_funnel

FOLDER = Path(".cache/bench")
EVENTS_PER_USER = 147
MEMORY_LIMIT_MB = 2_048
MOST_GROWTH = 1.2
"""Times proportional to the number of events."""

STEPS = ["user_joined", "first_message", "raid_joined", "wallet_connected"]
NOW = "2026-11-23"

PEERED = "ordered funnel, 4 steps, 7 days"

QUESTIONS: dict[str, tuple[str, float | None]] = {
    PEERED: (f"bench.funnel({STEPS}, now='{NOW}')", 3.0),
    "strict funnel": (f"bench.funnel({STEPS}, order='strict', now='{NOW}')", 8.0),
    "funnel in any order": (f"bench.funnel({STEPS}, order='any', now='{NOW}')", 8.0),
    "funnel by platform": (f"bench.funnel({STEPS}, by='platform', now='{NOW}')", 8.0),
    "funnel with an exclusion": (f"bench.funnel({STEPS}, exclude=[('ai_interaction', 1, 2)], now='{NOW}')", 8.0),
    "funnel of sessions": (f"bench.funnel({STEPS}, counting='sessions', now='{NOW}')", 8.0),
    "weekly retention": (f"bench.retention(now='{NOW}')", 1.6),
    "rolling, recurring retention": (f"bench.retention(clock='rolling', cohort='recurring', now='{NOW}')", 8.0),
    "daily active users": (f"bench.active_users(now='{NOW}')", 4.0),
    "weekly active users, trailing": (f"bench.active_users(window='7d', now='{NOW}')", 4.0),
    "transitions of sessions": (f"bench.journeys(now='{NOW}').transitions()", 3.0),
    "platform pairs": (f"bench.platforms(now='{NOW}')", 4.0),
    "lifecycle by week": (f"bench.lifecycle(now='{NOW}')", 4.0),
}
"""What is asked, and at most how many scans it may take."""

CHILD = """
import json, resource, sys, time
import workbench as wb
lake, question, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
bench = wb.open(lake, create=False)
scan = (
    "SELECT sum(user_key), sum(epoch_us(occurred_at)), count(*) FILTER (WHERE event_type = 'user_joined') FROM events"
)
def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
ask = eval("lambda: " + question)
ask()
pairs = [(timed(lambda: bench.snapshot.query(scan)), timed(ask)) for _ in range(times)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([min(pair[0] for pair in pairs), min(pair[1] for pair in pairs), peak]))
"""


def main(arguments: list[str]) -> int:
    """Print a row for each question and size; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench questions", description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10], help="sizes of the lake, in events")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", default="", help="questions whose name holds this")
    wanted = parser.parse_args(arguments)
    missed, before = 0, {}
    for size in wanted.millions:
        lake = _lake(size)
        for name, (question, limit) in QUESTIONS.items():
            if wanted.only not in name:
                continue
            scan, seconds, memory = measure(lake, question, wanted.times)
            growth = seconds / before[name][1] / (size / before[name][0]) if name in before else None
            before.setdefault(name, (size, seconds))
            missed |= _told(size, name, (scan, seconds, memory), (limit, growth))
            if name == PEERED:
                missed |= _beside_clickhouse(size, lake, seconds, wanted.times)
    return missed


def _beside_clickhouse(size: int, lake: Path, seconds: float, times: int) -> int:
    """Compare the ordered funnel with ClickHouse's own on the same files; both must count the same people."""
    peer, memory, users = window_funnel(lake, STEPS, micros=7 * 86_400_000_000, times=times)
    ours = wb.open(lake, create=False).funnel(STEPS, now=NOW).frame["users"].tolist()
    agreed = "same people" if users == ours else f"OTHER PEOPLE: {users}, not {ours}"
    print(f"{size:3d} M  {'  ClickHouse windowFunnel':34s} {peer:7.3f} s  {agreed} {memory:24,.0f} MB", flush=True)
    return int(peer <= seconds or users != ours)


def measure(lake: Path, question: str, times: int) -> tuple[float, float, float]:
    """Return the seconds of a scan and of a question, and the peak of memory in MB."""
    command = [sys.executable, "-c", CHILD, str(lake), question, str(times)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    scan, seconds, memory = json.loads(done.stdout)
    return scan, seconds, memory


def _told(size: int, name: str, measured: tuple[float, float, float], bounds: tuple[float | None, float | None]) -> int:
    (scan, seconds, memory), (limit, growth) = measured, bounds
    ratio = seconds / scan
    grown = f"  {growth:4.2f} of proportional" if growth else ""
    bound = f"at most {limit:3.1f}x" if limit else "no bound"
    print(
        f"{size:3d} M  {name:34s} {seconds:7.3f} s {ratio:5.1f}x of a scan ({bound}) {memory:6,.0f} MB{grown}",
        flush=True,
    )
    slow = limit is not None and ratio > limit
    return int(slow or memory > MEMORY_LIMIT_MB or (growth or 0) > MOST_GROWTH)


def _lake(millions: int) -> Path:
    """Make the lake of a size, if it was not made before."""
    lake, done = FOLDER / f"lake-{millions}m", FOLDER / f"lake-{millions}m.done"
    if not done.exists():
        export = FOLDER / f"export-{millions}m.parquet"
        users = str(round(millions * 1e6 / EVENTS_PER_USER))
        _run("simulate", "--users", users, "--out", str(export))
        _run("ingest", str(export), "--store", str(lake))
        _run("lake", "compact", "--full", "--store", str(lake))
        export.unlink()
        done.touch()
    return lake


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "workbench", *arguments], check=True, stdout=subprocess.DEVNULL)
