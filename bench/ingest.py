"""How fast files go in, and in how much memory, beside only reading the same file.

The yardstick is what the libraries alone take on one core: `pyarrow` reading the Parquet file, `msgspec` decoding
every line of the JSONL file without a schema. A core is a core second (user and system time of the process), so
the figures do not depend on how many cores helped.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from workbench.store.lake import LakeStore

TARGETS = {"parquet": 200_000, "jsonl": 100_000}
MEMORY_LIMIT_MB = 1_000

READERS = {
    "parquet": "import sys, pyarrow.parquet as pq\nfor _ in pq.ParquetFile(sys.argv[1]).iter_batches(): pass",
    "jsonl": "import sys, msgspec\ndecode = msgspec.json.decode\nfor line in open(sys.argv[1], 'rb'): decode(line)",
}


def main(arguments: list[str]) -> int:
    """Print one row per format; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench ingest", description=__doc__)
    parser.add_argument("--users", type=int, default=9_000, help="about 110 events each in 120 days")
    parser.add_argument("--formats", nargs="+", choices=TARGETS, default=list(TARGETS))
    wanted = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="workbench-ingest-"))
    missed = 0
    try:
        for name in wanted.formats:
            missed |= _measure(folder, name, users=wanted.users)
    finally:
        shutil.rmtree(folder)
    return missed


def _measure(folder: Path, name: str, *, users: int) -> int:
    export, lake = folder / f"export.{name}", folder / f"lake-{name}"
    _run("-m", "workbench", "simulate", "--users", str(users), "--out", str(export))
    bare = _run("-c", READERS[name], str(export))
    seconds, memory, wall = _run("-m", "workbench", "ingest", str(export), "--store", str(lake))
    events = LakeStore(lake, create=False).snapshot().query("SELECT count(*) AS n FROM events")["n"][0].as_py()
    rate = events / seconds
    print(
        f"{name:8s} {events:10,} events  {rate:9,.0f} a core second (target {TARGETS[name]:,})"
        f"  {events / wall:9,.0f} a second  {seconds / bare[0]:5.1f}x of only reading"
        f"  {memory:6,.0f} MB (limit {MEMORY_LIMIT_MB:,})"
    )
    export.unlink()
    return int(rate < TARGETS[name] or memory > MEMORY_LIMIT_MB)


def _run(*arguments: str) -> tuple[float, float, float]:
    """Run Python; return its core seconds, its peak memory in MB, and its wall seconds."""
    script = (
        "import os, resource, subprocess, sys, time\n"
        "start = time.perf_counter()\n"
        "quiet = subprocess.DEVNULL\n"
        "subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=quiet, stderr=quiet)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, time.perf_counter() - start)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True)
    cores, memory, wall = map(float, done.stdout.split())
    return cores, memory, wall
