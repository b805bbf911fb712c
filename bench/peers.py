"""Other engines on the same events: the answer has to be the same, so that the times can be compared."""

from __future__ import annotations

import json
import subprocess
import sys
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
