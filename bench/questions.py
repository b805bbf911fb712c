"""How fast each question is, beside a scan of the columns that it needs, and beside peers on the same events.

The yardstick (1x) is DuckDB adding up the columns that a question needs over all files of the lake: nothing can be
answered for less. Each question runs in a process of its own, a few times in turn with the yardstick; the best of each
counts. Peers read the same Parquet files. The lake is simulated once for each size and kept in `.cache/bench`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import workbench as wb
from bench.peers import retentioneering, window_funnel

FOLDER = Path(".cache/bench")
EVENTS_PER_USER, DAYS = 147, 120
MEMORY_LIMIT_MB = 2_048
MOST_GROWTH = 1.2
"""Times proportional to the number of events."""
COMBINATION_LIMIT = 8.0
FASTER_THAN_RETENTIONEERING = 20

STEPS = ["user_joined", "first_message", "raid_joined", "wallet_connected"]
NOW = "2026-11-23"

PEERED = "ordered funnel, 4 steps, 7 days"

PLAIN = ("user_key", "occurred_at", "event_type")
PLATFORM = (*PLAIN, "platform")
SESSION = (*PLAIN, "session_id")

QUESTIONS: dict[str, tuple[str, float, tuple[str, ...]]] = {
    PEERED: (f"bench.funnel({STEPS}, now='{NOW}')", 3.0, PLAIN),
    "strict funnel": (f"bench.funnel({STEPS}, order='strict', now='{NOW}')", 8.0, PLAIN),
    "funnel in any order": (f"bench.funnel({STEPS}, order='any', now='{NOW}')", 8.0, PLAIN),
    "funnel by platform": (f"bench.funnel({STEPS}, by='platform', now='{NOW}')", 8.0, PLATFORM),
    "funnel with an exclusion": (f"bench.funnel({STEPS}, exclude=[('ai_interaction', 1, 2)], now='{NOW}')", 8.0, PLAIN),
    "funnel of sessions": (f"bench.funnel({STEPS}, counting='sessions', now='{NOW}')", 8.0, SESSION),
    "drivers of a funnel": (f"bench.funnel({STEPS}, now='{NOW}').drivers()", 8.0, PLATFORM),
    "weekly retention": (f"bench.retention(now='{NOW}')", 1.6, PLAIN),
    "daily retention in Berlin": (f"bench.retention(period='day', tz='Europe/Berlin', now='{NOW}')", 8.0, PLAIN),
    "retention of a named return": (f"bench.retention(returns='message_sent', now='{NOW}')", 8.0, PLAIN),
    "retention by platform": (f"bench.retention(by='platform', now='{NOW}')", 8.0, PLATFORM),
    "rolling, recurring retention": (
        f"bench.retention(clock='rolling', cohort='recurring', now='{NOW}')", 8.0, PLAIN,
    ),
    "daily active users": (f"bench.active_users(now='{NOW}')", 4.0, PLAIN),
    "weekly active users, trailing": (f"bench.active_users(window='7d', now='{NOW}')", 4.0, PLAIN),
    "transitions of sessions": (f"bench.journeys(now='{NOW}').transitions()", 3.0, PLAIN),
    "platform pairs": (f"bench.platforms(now='{NOW}')", 4.0, PLATFORM),
    "lifecycle by week": (f"bench.lifecycle(now='{NOW}')", 8.0, PLAIN),
}  # fmt: skip
"""What is asked, at most how many scans it may take, and the columns it needs."""

CHILD = """
import json, resource, sys, time
import workbench as wb
lake, questions, times = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
bench = wb.open(lake, create=False)
OF = {"user_key": "sum(user_key)", "occurred_at": "sum(epoch_us(occurred_at))",
      "event_type": "count(*) FILTER (WHERE event_type = 'user_joined')"}
def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
for question, columns in questions:
    scan = "SELECT " + ", ".join(OF.get(name, f"sum(strlen({name}))") for name in columns) + " FROM events"
    ask = eval("lambda: " + question)
    ask()
    pairs = [(timed(lambda: bench.snapshot.query(scan)), timed(ask)) for _ in range(times)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([min(pair[0] for pair in pairs), min(pair[1] for pair in pairs), peak]), flush=True)
"""


def main(arguments: list[str]) -> int:
    """Print a row for each question and size; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench questions", description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10], help="sizes of the lake, in events")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--only", default="", help="questions whose name holds this")
    parser.add_argument("--combinations", action="store_true", help="also funnels with every combination of options")
    parser.add_argument("--retentioneering", action="store_true", help="also install and ask retentioneering")
    wanted = parser.parse_args(arguments)
    missed, before = 0, {}
    for size in wanted.millions:
        lake = _lake(size)
        for name, (question, limit, columns) in QUESTIONS.items():
            if wanted.only not in name:
                continue
            ((scan, seconds, memory),) = measure(lake, [(question, columns)], wanted.times)
            growth = seconds / before[name][1] / (size / before[name][0]) if name in before else None
            before.setdefault(name, (size, seconds))
            missed |= _told(size, name, (scan, seconds, memory), (limit, growth))
            if name == PEERED:
                missed |= _beside_clickhouse(size, lake, seconds, wanted.times)
        if wanted.combinations:
            missed |= _combinations(size, lake, wanted.times)
        if wanted.retentioneering:
            missed |= _beside_retentioneering(size, lake, wanted.times)
    return missed


def _combinations(size: int, lake: Path, times: int) -> int:
    """Ask a funnel with every combination of options; tell the slowest, and all that take more than 8 scans."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    for order, counting, by, attribution, exclude in product(
        ("ordered", "strict", "any"), ("users", "sessions", "totals"), (None, "platform", "source"),
        ("first", "last", "all", "user", 1), (None, [("ai_interaction", 1, 2)]),
    ):  # fmt: skip
        if by is None and attribution != "first":
            continue
        given = {"order": order, "counting": counting, "by": by, "attribution": by and attribution, "exclude": exclude}
        told = ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
        columns = [*PLAIN, *(["session_id"] if counting == "sessions" else [])]
        columns += {"platform": ["platform"], "source": ["properties"], None: []}[by]
        asked.append((f"bench.funnel({STEPS}, {told}, now='{NOW}')", tuple(columns)))
    measured = measure(lake, asked, times)
    ratios = sorted(
        ((seconds / scan, question) for (scan, seconds, _), (question, _) in zip(measured, asked, strict=True)),
        reverse=True,
    )
    slow = [pair for pair in ratios if pair[0] > COMBINATION_LIMIT]
    print(f"{size:3d} M  {len(asked)} combinations of options, {len(slow)} over {COMBINATION_LIMIT}x; the slowest:")
    for ratio, question in ratios[: max(len(slow), 5)]:
        print(f"       {ratio:5.1f}x  {question}", flush=True)
    return int(bool(slow))


def _beside_clickhouse(size: int, lake: Path, seconds: float, times: int) -> int:
    """Compare the ordered funnel with ClickHouse's own on the same files; both must count the same people."""
    peer, memory, users = window_funnel(lake, STEPS, micros=7 * 86_400_000_000, times=times)
    ours = wb.open(lake, create=False).funnel(STEPS, now=NOW).frame["users"].tolist()
    agreed = "same people" if users == ours else f"OTHER PEOPLE: {users}, not {ours}"
    print(f"{size:3d} M  {'  ClickHouse windowFunnel':34s} {peer:7.3f} s  {agreed} {memory:24,.0f} MB", flush=True)
    return int(peer <= seconds or users != ours)


def _beside_retentioneering(size: int, lake: Path, times: int) -> int:
    """Compare with retentioneering's funnel (which has no window) and transition matrix of whole paths.

    From the files to the answer, as ours; and, for its user who asks again, once the events are in its memory.
    """
    found = retentioneering(lake, STEPS, folder=FOLDER / "peers", times=times)
    funnel, walk = f"bench.funnel({STEPS}, within='3650d', now='{NOW}')", f"bench.journeys(sessions=None, now='{NOW}')"
    ours = measure(lake, [(funnel, PLAIN), (f"{walk}.transitions()", PLAIN)], times)
    bench = wb.open(lake, create=False)
    users = bench.funnel(STEPS, within="3650d", now=NOW).frame["users"].tolist()
    agreed = "same people" if users == found.users else f"other people: {found.users}, not {users}"
    missed = 0
    for name, theirs, (_, seconds, memory) in zip(
        ("funnel, no window", "transitions"), (found.funnel, found.transitions), ours, strict=True
    ):
        times_faster = (found.load + theirs) / seconds
        print(
            f"{size:3d} M  {'  retentioneering ' + name:34s} {found.load + theirs:7.3f} s, {found.memory:,.0f} MB: "
            f"{times_faster:.0f} times ours ({seconds:.3f} s, {memory:,.0f} MB), {theirs / seconds:.0f} times without "
            f"the {found.load:.1f} s it loads; {agreed}",
            flush=True,
        )
        missed |= int(times_faster < FASTER_THAN_RETENTIONEERING or memory >= found.memory)
    return missed


def measure(lake: Path, questions: list[tuple[str, tuple[str, ...]]], times: int) -> list[tuple[float, float, float]]:
    """Return per question the seconds of a scan of its columns and of itself, and the peak of memory so far in MB."""
    command = [sys.executable, "-c", CHILD, str(lake), json.dumps(questions), str(times)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def _told(size: int, name: str, measured: tuple[float, float, float], bounds: tuple[float, float | None]) -> int:
    (scan, seconds, memory), (limit, growth) = measured, bounds
    ratio = seconds / scan
    grown = f"  {growth:4.2f} of proportional" if growth else ""
    bound = f"of a scan (at most {limit:3.1f}x)"
    print(f"{size:3d} M  {name:34s} {seconds:7.3f} s {ratio:5.1f}x {bound} {memory:6,.0f} MB{grown}", flush=True)
    return int(ratio > limit or memory > MEMORY_LIMIT_MB or (growth or 0) > MOST_GROWTH)


def _lake(millions: int, *, users: int | None = None) -> Path:
    """Make the lake of a size, if it was not made before; of so many users, over as many days as that takes."""
    name = f"lake-{millions}m" + (f"-{users}" if users else "")
    lake, done = FOLDER / name, FOLDER / f"{name}.done"
    if not done.exists():
        export = FOLDER / f"export-{millions}m.parquet"
        many = users or round(millions * 1e6 / EVENTS_PER_USER)
        days = ["--days", str(max(2, round(DAYS * millions * 1e6 / EVENTS_PER_USER / users)))] if users else []
        _run("simulate", "--users", str(many), *days, "--out", str(export))
        _run("ingest", str(export), "--store", str(lake))
        _run("lake", "compact", "--full", "--store", str(lake))
        export.unlink()
        done.touch()
    return lake


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "workbench", *arguments], check=True, stdout=subprocess.DEVNULL)
