"""Kill an ingest at random moments, run it again, and count: nothing may be lost, nothing doubled.

Run with `python -m bench kills`; `--kills 5` for a short one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.ingest import rejects
from workbench.store.lake import LakeStore

LINES = 600_000
BROKEN_EVERY = 1_000
REPEATED_EVERY = 50


@dataclass
class Ledger:
    """What must be in the lake in the end."""

    event_ids: set[str]
    broken: int


def write_export(path: Path, *, lines: int = LINES) -> Ledger:
    """Write a JSONL export with repeated events and broken lines; return what is in it."""
    event_ids: set[str] = set()
    broken = 0
    with path.open("wb") as stream:
        for number in range(lines):
            if number % BROKEN_EVERY == 7:
                stream.write(b'{"event_id": "broken-%d", "user_id": 5}\n' % number)
                broken += 1
                continue
            known = number - REPEATED_EVERY if number % REPEATED_EVERY == 33 and number > REPEATED_EVERY else number
            event = {
                "event_id": f"e{known:08d}",
                "event_type": "message_sent",
                "user_id": f"u{known % 977}",
                "occurred_at": f"2026-03-{1 + known % 28:02d}T{known % 24:02d}:00:00Z",
                "properties": {"chars": known % 200},
            }
            event_ids.add(str(event["event_id"]))
            stream.write(msgspec.json.encode(event) + b"\n")
    return Ledger(event_ids, broken)


def ingest_until_done(export: Path, lake: Path, *, kills: int, seconds: float, rng: random.Random) -> int:
    """Ingest, killed at random moments up to `kills` times, then left alone; return how often it was killed.

    A kill comes at any moment of the `seconds` that an undisturbed ingest takes, so that also start, commits and
    end are hit.
    """
    command = _command(export, lake)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    for killed in range(kills):
        process = subprocess.Popen(command, start_new_session=True, **quiet)
        try:
            process.wait(timeout=rng.uniform(0.3, seconds))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            continue
        if process.returncode:
            raise RuntimeError(f"{command} exited with {process.returncode}")
        return killed
    subprocess.run(command, check=True, **quiet)
    return kills


def _command(export: Path, lake: Path) -> list[str]:
    return [sys.executable, "-m", "workbench", "ingest", str(export), "--store", str(lake)]


def undisturbed(export: Path, lake: Path) -> float:
    """Ingest without a kill; return the seconds that it took."""
    start = time.perf_counter()
    subprocess.run(_command(export, lake), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def verdict(lake: Path, ledger: Ledger) -> dict[str, int]:
    """Compare the lake with the ledger: all zero when nothing was lost or doubled."""
    store = LakeStore(lake, create=False)
    store.maintain(full=True)
    rows = store.snapshot().query("SELECT event_id FROM events")["event_id"].to_pylist()
    counts = Counter(rows)
    set_aside = len(rejects.list_(store.control, limit=ledger.broken * 10))
    return {
        "lost": len(ledger.event_ids - counts.keys()),
        "doubled": sum(count - 1 for count in counts.values()),
        "foreign": len(counts.keys() - ledger.event_ids),
        "rejects off by": abs(set_aside - ledger.broken),
    }


def main(arguments: list[str]) -> int:
    """Kill until the asked number is reached, over as many fresh lakes as that takes."""
    parser = argparse.ArgumentParser(prog="python -m bench kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args(arguments)
    rng, done, lakes, total = random.Random(wanted.seed), 0, 0, Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="workbench-kills-"))
    try:
        ledger = write_export(folder / "export.jsonl")
        seconds = undisturbed(folder / "export.jsonl", folder / "clean")
        print(f"undisturbed: {seconds:.1f} s, {verdict(folder / 'clean', ledger)}", flush=True)
        while done < wanted.kills:
            lake = folder / f"lake-{lakes}"
            kills = min(8, wanted.kills - done)
            done += ingest_until_done(folder / "export.jsonl", lake, kills=kills, seconds=seconds, rng=rng)
            total.update(verdict(lake, ledger))
            lakes += 1
            print(f"{done:4d} kills, {lakes:3d} lakes: {dict(total)}", flush=True)
            shutil.rmtree(lake)
    finally:
        shutil.rmtree(folder)
    print(f"seed {wanted.seed}: {done} SIGKILLs, {lakes} lakes of {len(ledger.event_ids):,} events: {dict(total)}")
    return int(any(total.values()))
