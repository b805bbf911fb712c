"""Other engines on the same events: the answer has to be the same, so that the times can be compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CLICKHOUSE = """
import json, resource, sys, time
from chdb import session
folder, steps, micros, times = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
chain = ", ".join(f"event_type = '{step}'" for step in steps)
among = ", ".join(f"'{step}'" for step in steps)
query = f'''
SELECT level, count() AS people FROM (
    SELECT user_key, windowFunnel({micros})(toUInt64(toUnixTimestamp64Micro(occurred_at)), {chain}) AS level
    FROM file('{folder}/events/month=*/bucket=*/*.parquet', Parquet,
        'user_key Int64, occurred_at DateTime64(6, \\\\'UTC\\\\'), event_type String')
    WHERE event_type IN ({among}) GROUP BY user_key
) WHERE level > 0 GROUP BY level ORDER BY level SETTINGS max_threads = 2'''
server, best = session.Session(), float("inf")
for _ in range(times + 1):
    start = time.perf_counter()
    told = server.query(query, "JSONCompactEachRow").bytes().decode()
    best = min(best, time.perf_counter() - start)
furthest = {int(level): int(people) for level, people in map(json.loads, told.splitlines())}
users = [sum(people for level, people in furthest.items() if level >= step) for step in range(1, len(steps) + 1)]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([best, peak, users]))
"""


def window_funnel(lake: Path, steps: list[str], *, micros: int, times: int) -> tuple[float, float, list[int]]:
    """Ask ClickHouse's `windowFunnel`, through chdb, over the Parquet files of a lake.

    Returns:
        The best seconds of a few runs, the peak of memory in MB, and the people at each step.
    """
    command = [sys.executable, "-c", CLICKHOUSE, str(lake.absolute()), json.dumps(steps), str(micros), str(times)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory, users = json.loads(done.stdout)
    return seconds, memory, users


RETENTIONEERING = """
import json, resource, sys, time
import duckdb
from retentioneering import Eventstream
folder, steps, times = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
began = time.perf_counter()
frame = duckdb.sql(
    f"SELECT user_id, event_type AS event, occurred_at AS timestamp FROM read_parquet('{folder}/events/*/*/*.parquet')"
).df()
stream = Eventstream(frame)
load = time.perf_counter() - began
def best(call):
    found = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        answer = call()
        found = min(found, time.perf_counter() - start)
    return found, answer
funnel, answer = best(lambda: stream.funnel_data(steps))
transitions, _ = best(lambda: stream.transition_graph_data("count"))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([load, funnel, transitions, peak, [step["unique_paths"] for step in answer["steps"]]]))
"""


@dataclass(frozen=True)
class Retentioneering:
    """Seconds of loading, its funnel, its transition matrix; the peak of memory in MB; the people at each step."""

    load: float
    funnel: float
    transitions: float
    memory: float
    users: list[int]


def retentioneering(lake: Path, steps: list[str], *, folder: Path, times: int) -> Retentioneering:
    """Ask retentioneering, in an environment of its own, over the events of a lake, which it loads first."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "retentioneering==5.2.4"], check=True)
    command = [str(python), "-c", RETENTIONEERING, str(lake.absolute()), json.dumps(steps), str(times)]
    quiet = {**os.environ, "RETENTIONEERING_NO_TRACK": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=quiet)
    return Retentioneering(*json.loads(done.stdout.splitlines()[-1]))
