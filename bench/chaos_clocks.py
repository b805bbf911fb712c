"""Vacuums beside writers whose clocks differ by days, and schedules that meet lakes of long ago."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from workbench import cli
from workbench.errors import StoreError
from workbench.events import to_table
from workbench.pipeline import jobs
from workbench.store import files, maintenance
from workbench.store.expiry import MOST_SHARE, plan
from workbench.store.lake import LakeStore
from workbench.testing import events_of

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event as Stop

WRITERS: Final = 3
UPKEEP: Final = ("compact", "expire", "vacuum")
_SHIFT: Final = 3 * 86_400.0
_DAY: Final = 1440


def vacuums(folder: Path, count: int, rng: random.Random) -> Counter[str]:
    """Vacuum without grace beside processes that write and sort, each by a clock of its own; count what is gone."""
    lake = LakeStore(folder / "lake")
    context = multiprocessing.get_context("spawn")
    stop, shifts = context.Event(), (-_SHIFT, 0.0, _SHIFT)
    writers = [
        context.Process(target=_write, args=(str(lake.path), f"w{number}", shifts[number % 3], stop), daemon=True)
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    while not all((folder / f"lake/w{number}.count").exists() for number in range(WRITERS)):
        time.sleep(0.1)
        if any(writer.exitcode for writer in writers):
            raise RuntimeError("a writer did not start")
    found, clock = Counter[str](), maintenance.time.time
    try:
        for _ in range(count):
            shift = rng.choice(shifts)
            maintenance.time.time = lambda shift=shift: clock() + shift  # type: ignore[misc]
            found["files deleted"] += len(LakeStore(lake.path).vacuum(grace_hours=0))
            time.sleep(rng.uniform(0, 0.1))
    finally:
        maintenance.time.time = clock
        stop.set()
        for writer in writers:
            writer.join()
    written = sum(int((lake.path / f"w{number}.count").read_text()) for number in range(WRITERS))
    found["events"] = written
    found["lost"] = len(lake.scrub()) + sum(1 for writer in writers if writer.exitcode)
    if not lake.scrub():
        kept = int(lake.snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0])
        found["lost"] += max(0, written - kept)
        found["doubled"] += max(0, kept - written)
    return found


def _write(lake: str, name: str, shift: float, stop: Stop) -> None:
    """Append, and sort now and then, until told to stop; leave how many events were acknowledged."""
    clock, write = time.time, files.write
    time.time = lambda: clock() + shift

    def aged(*arguments: object, **options: object) -> files.AddAction:
        action = write(*arguments, **options)  # type: ignore[arg-type]
        at = time.time()
        os.utime(store.root / action.path, (at, at))
        time.sleep(random.uniform(0, 0.05))
        return action

    files.write = aged  # type: ignore[assignment]
    store, done = LakeStore(lake), 0
    while not stop.is_set():
        table = to_table(events_of({f"{name}-{done}": "view:0 buy:9"}))
        table = table.append_column("position", pa.array([done, done + 1], pa.int64()))
        store.append(table, source=name, start=done, end=done + 2, ingested_at=datetime.now(UTC))
        done += 2
        Path(lake, f"{name}.count").write_text(str(done))
        if done % 20 == 0:
            store.maintain()


def schedules(folder: Path, count: int, rng: random.Random) -> Counter[str]:
    """Run the upkeep of the default schedule against lakes whose events are years old; count what is gone."""
    found, before = Counter[str](), Path.cwd()
    for number in range(count):
        project = folder / f"project-{number}"
        project.mkdir()
        retention = rng.choice([None, None, 30, 365])
        (project / "workbench.yaml").write_text(f"retention_days: {retention}\n" if retention else "port: 9000\n")
        os.chdir(project)
        try:
            found.update(_schedule(project, retention, rng))
        finally:
            os.chdir(before)
    return found


def _schedule(project: Path, retention: int | None, rng: random.Random) -> Counter[str]:
    lake, found = LakeStore(project / "data/lake"), Counter[str]()
    first = rng.randint(-12, -1) * 365 * _DAY
    days = rng.randint(20, 900)
    table = to_table(events_of({"ann": " ".join(f"view:{first + day * _DAY}" for day in range(days))}))
    table = table.append_column("position", pa.array(range(days), pa.int64()))
    lake.append(table, source="old", start=0, end=days, ingested_at=datetime.now(UTC))
    expected = days
    if retention is not None:
        planned = plan(lake.snapshot(), days=retention, now=datetime.now(UTC) + timedelta(days=1))
        expected -= planned.events if planned.share <= MOST_SHARE else 0
    for job in jobs.load().jobs:
        if job.kind in UPKEEP:
            found[f"{job.kind} {_run(job.command)}"] += 1
    kept = int(LakeStore(lake.path).snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0])
    found["lost"] = max(0, expected - kept)
    found["silently wrong"] = int(kept > expected)
    return found


def _run(words: list[str]) -> str:
    """Run a command as the daemon does, in this process; return how it ended."""
    with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        try:
            cli.main(words)
        except SystemExit as stop:
            return "refused" if stop.code else "done"
        except StoreError:
            return "failed"
    return "done"
