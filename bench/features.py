"""How long the features of everybody take, and how much memory, beside a scan of three columns of the lake.

The yardstick (1x) is DuckDB adding up three columns over all files of the lake. Both run in a process of their own, in
turn; the best of each counts. pandas, for comparison, does a part of the same work from a frame that it was given.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import duckdb

from bench.questions import DAYS, FOLDER, MEMORY_LIMIT_MB, NOW, _lake, _run

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 25.0
PEOPLE: Final = 360_000
"""Of the crowd's lake: about 10 million events over 120 days, so each did little."""

HOURS, ONE_OF = 6, 5
"""Spans of a person's life of which one in five is kept to make them do little; joining always is."""

KEPT = """
    COPY (
        SELECT * FROM read_parquet($export)
        WHERE event_type = 'user_joined' OR hash(user_id, epoch_us(occurred_at) // (3600000000 * $hours)) % $one_of = 0
    ) TO 'FILE' (FORMAT parquet)
"""

CHILD = """
import json, resource, sys, time
import workbench as wb
bench = wb.open(sys.argv[1], create=False)
scan = ("SELECT sum(user_key), sum(epoch_us(occurred_at)), count(*) FILTER (WHERE event_type = 'user_joined') "
        "FROM events")
def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result
ask = lambda: bench.features(cutoff=sys.argv[2])
people = len(ask().X)
pairs = [(timed(lambda: bench.snapshot.query(scan))[0], timed(ask)[0]) for _ in range(int(sys.argv[3]))]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([min(a for a, _ in pairs), min(b for _, b in pairs), peak, people]))
"""

PANDAS = """
import json, sys, time
import workbench as wb
bench = wb.open(sys.argv[1], create=False)
columns = "user_id, event_type, occurred_at, platform, raid_id, value"
frame = bench.snapshot.query(f"SELECT {columns} FROM events").to_pandas()
start = time.perf_counter()
import pandas as pd
cutoff = pd.Timestamp(sys.argv[2], tz="UTC")
known = frame[frame["occurred_at"] < cutoff]
day = (cutoff - known["occurred_at"]).dt.days
people = known.groupby("user_id")["occurred_at"].agg(["min", "max"])
recent = known.assign(day=day)[day < 28]
message = recent[recent["event_type"].isin(["first_message", "message_sent"])]
parts = [people, recent.groupby("user_id")["day"].nunique(), recent.groupby("user_id").size(),
         recent.groupby("user_id")["platform"].nunique(), message.groupby("user_id").size(),
         message.groupby(["user_id", "day"]).size().unstack(fill_value=0).mean(axis=1),
         recent[recent["event_type"] == "raid_joined"].groupby("user_id")["raid_id"].nunique(),
         recent[recent["event_type"] == "purchase"].groupby("user_id")["value"].agg(["size", "sum"]),
         recent.groupby(["user_id", "event_type"]).size().unstack(fill_value=0)]
pd.concat(parts, axis=1)
print(json.dumps(time.perf_counter() - start))
"""


def main(arguments: list[str]) -> int:
    """Print a row for each size of the lake; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench features", description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10], help="sizes of the lake, in events")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--crowd", action="store_true", help="also those events by 360,000 people who each did little")
    parser.add_argument("--pandas", action="store_true", help="also let pandas do a part of it")
    wanted = parser.parse_args(arguments)
    missed = 0
    lakes = {f"{size} M": str(_lake(size)) for size in wanted.millions}
    if wanted.crowd:
        lakes["crowd"] = str(_crowd())
    for size, lake in lakes.items():
        scan, seconds, memory, people = _child(CHILD, lake, NOW, str(wanted.times))
        ratio = seconds / scan
        print(
            f"{size:>5s}  features of {people:,.0f} people {seconds:7.3f} s {ratio:5.1f}x of a scan "
            f"(at most {LIMIT:.0f}x) {memory:6,.0f} MB",
            flush=True,
        )
        missed |= int(ratio > LIMIT or memory > MEMORY_LIMIT_MB)
        if wanted.pandas:
            slow = _child(PANDAS, lake, NOW)
            print(f"{size:>5s}    nine of them with pandas, read already {slow:7.3f} s {slow / scan:5.1f}x", flush=True)
    return missed


def _crowd() -> Path:
    """Make a lake of many people who each did little: a large community, of whose visits one in five is kept."""
    lake, done = FOLDER / "lake-crowd", FOLDER / "lake-crowd.done"
    if not done.exists():
        export, kept = FOLDER / "export-crowd.parquet", FOLDER / "kept-crowd.parquet"
        _run("simulate", "--users", str(PEOPLE), "--days", str(DAYS), "--out", str(export))
        given = {"export": str(export), "hours": HOURS, "one_of": ONE_OF}
        duckdb.connect().execute(KEPT.replace("FILE", str(kept)), given)
        export.unlink()
        _run("ingest", str(kept), "--store", str(lake))
        _run("lake", "compact", "--full", "--store", str(lake))
        kept.unlink()
        done.touch()
    return lake


def _child(program: str, *arguments: str) -> list[float]:
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)
