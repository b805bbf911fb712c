"""Whether the schedule keeps its word: what was missed, what was killed, what runs beside what, who is told."""

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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bench.schedule_day import day
from bench.schedule_secrets import secrets
from tests.pipeline.conftest import write_notebook
from workbench.config import Settings
from workbench.pipeline.jobs import Job, Schedule
from workbench.pipeline.run import Folders, run
from workbench.pipeline.schedule import Daemon
from workbench.reports.pins import frame_hash
from workbench.store import job_runs

ROOT = Path(__file__).parents[1]
FOLDER = Path(".cache/bench")
START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DOWN_HOURS = 36
USERS, DAYS = 300, 100
PATH_SECONDS = 3.0
"""Seconds that the cells of each of the ten notebooks take."""

SHAPE = {
    "a": [], "b": ["a"], "c": ["a"], "d": ["b"], "e": ["c"], "f": ["d"], "g": ["e"], "h": ["f"], "i": ["g"],
    "j": ["h", "i"],
}  # fmt: skip
"""The ten notebooks, and what each builds on: two chains side by side."""


def main(arguments: list[str]) -> int:
    """Tell each story; 1 if a figure is missed."""
    stories = {"downtime": downtime, "kills": kills, "notebooks": notebooks, "secrets": secrets, "day": day}
    parser = argparse.ArgumentParser(prog="python -m bench schedule", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(stories))
    parser.add_argument("--times", type=int, default=5, help="how often each task is killed")
    parser.add_argument("--minutes", type=float, default=15, help="how long the day takes")
    wanted = parser.parse_args(arguments)
    if unknown := set(wanted.names) - stories.keys():
        parser.error(f"no {min(unknown)!r}: there are {', '.join(stories)}")
    missed = [name for name in wanted.names or stories if not stories[name](wanted)]
    print(f"missed: {', '.join(missed)}" if missed else "all figures reached")
    return int(bool(missed))


def downtime(wanted: argparse.Namespace) -> bool:
    """Let a daemon be away for 36 hours. Figure: exactly the expected list, by each policy."""
    del wanted
    good = True
    hours = [START.replace(minute=0) + timedelta(hours=hour) for hour in range(1, DOWN_HOURS + 1)]
    expected = {"skip": [], "once": hours[-1:], "all": hours[-24:]}
    for policy, queued in expected.items():
        with tempfile.TemporaryDirectory() as folder:
            job = Job(name="hourly", kind="run", schedule="0 * * * *", timezone="UTC", catch_up=policy)
            clock = [START]
            for now in (START, START + timedelta(hours=DOWN_HOURS)):  # two daemons, the first is gone
                clock[0] = now
                daemon = Daemon(
                    Schedule(jobs=(job,)), Path(folder) / "control.db", Settings(), logs=Path(folder),
                    now=lambda clock=clock: clock[0],
                )  # fmt: skip
                daemon._start = lambda: None  # what is decided is what counts here
                daemon.recover()
                daemon.tick()
            found = job_runs.list_(Path(folder) / "control.db", limit=-1)
        waits = sorted(each.due_at for each in found if each.status == "queued")
        skipped = sorted(each.due_at for each in found if each.status == "skipped")
        right = waits == queued and skipped == [hour for hour in hours if hour not in queued]
        good &= right
        told = "right" if right else "WRONG"
        print(f"downtime of {DOWN_HOURS} h, {policy}: {len(waits)} run, {len(skipped)} skipped: {told}")
    return good


def kills(wanted: argparse.Namespace) -> bool:
    """Kill the pipeline in each of its tasks. Figure: it goes on there, and ends with the same frames each time."""
    project = _project()
    whole = _frames(project)
    rng, wrong, done, left = random.Random(1), 0, 0, 0
    tasks = [file.stem for file in (project / "data/products").glob("*.ipynb")]
    for task in sorted(tasks):
        for _ in range(wanted.times):
            _undo(project, task)
            ran = _killed_in(project, task, rng)
            left += sum(_ours(process, project) for process in psutil.process_iter())
            subprocess.run(_command(), cwd=project, check=True, capture_output=True)
            again = _frames(project)
            changed = [name for name in whole if again.get(name) != whole[name]]
            wrong += bool(changed) or not ran
            done += 1
            if changed or not ran:
                print(
                    f"  {task}: {'frames differ: ' + ', '.join(changed) if changed else 'was not running when killed'}"
                )
        print(f"  {task}: {wanted.times} kills", flush=True)
    print(f"kills: {done} SIGKILLs in {len(tasks)} tasks; {wrong} ended with other frames; {left} processes were left")
    return wrong == 0 and left == 0


def notebooks(wanted: argparse.Namespace) -> bool:
    """Run ten notebooks. Figure: 1.2 times the cells on the longest path, and 2 s for each notebook on it."""
    del wanted
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        first = "upstream = None\nproduct = None\nlake = ''\nsource = None  # type: str\nmapping = 'native'"
        rest = "upstream = None\nproduct = None\nversion = None  # type: int"
        tasks = []
        for name, above in SHAPE.items():
            work = (f"import time; time.sleep({PATH_SECONDS})", "open(product['data'], 'w').write('done')")
            write_notebook(root / f"notebooks/{name}.ipynb", *work, parameters=rest if above else first)
            params = (
                '{version: "{{version}}"}'
                if above
                else '{lake: "{{lake}}", source: "{{source}}", mapping: "{{mapping}}"}'
            )
            upstream = f"    upstream: [{', '.join(above)}]\n" if above else ""
            tasks.append(
                f"  - source: notebooks/{name}.ipynb\n{upstream}    product: {{nb: '{{{{products}}}}/{name}.ipynb',"
                f" data: '{{{{products}}}}/{name}.txt'}}\n    params: {params}\n"
            )
        (root / "pipeline.yaml").write_text("meta: {extract_upstream: false}\ntasks:\n" + "".join(tasks))
        (root / "env.yaml").write_text("{lake: x, source: x, mapping: x, products: x, version: x, until: x, models: x}")
        subprocess.run(
            [sys.executable, "-m", "workbench", "simulate", "--users", "20", "--days", "10", "--out", "events.jsonl"],
            cwd=root, check=True, capture_output=True,
        )  # fmt: skip
        subprocess.run(
            [sys.executable, "-m", "workbench", "ingest", "events.jsonl"], cwd=root, check=True, capture_output=True
        )
        began = time.perf_counter()
        ended = run(Folders(root=root), source="events.jsonl")
        took = time.perf_counter() - began
    length = _longest()
    most = 1.2 * length * PATH_SECONDS + 2 * length
    print(
        f"notebooks: ten, {length} on the longest path of {length * PATH_SECONDS:.0f} s of cells: {took:.1f} s of at"
        f" most {most:.1f} s; {ended.status}"
    )
    return took <= most and ended.status == "succeeded"


def _longest() -> int:
    depth: dict[str, int] = {}
    for name, above in SHAPE.items():
        depth[name] = 1 + max((depth[each] for each in above), default=0)
    return max(depth.values())


def _project() -> Path:
    """Make a project of a small community once, run to its end."""
    project = FOLDER.absolute() / "schedule-project"
    if not (project / "done").exists():
        shutil.rmtree(project, ignore_errors=True)
        project.mkdir(parents=True)
        for name in ("pipeline.yaml", "env.yaml", "notebooks"):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, project / name)
        words = ["simulate", "--users", str(USERS), "--days", str(DAYS), "--out", "sample.jsonl.gz"]
        subprocess.run([sys.executable, "-m", "workbench", *words], cwd=project, check=True, capture_output=True)
        subprocess.run(_command(), cwd=project, check=True, capture_output=True)
        (project / "done").touch()
    return project


def _command() -> list[str]:
    return [sys.executable, "-m", "workbench", "run", "--source", "sample.jsonl.gz"]


def _undo(project: Path, task: str) -> None:
    """Let a task, and with it what builds on it, be unfinished."""
    for file in (project / "data/products").glob(f"{task}.*"):
        file.unlink()
    for file in (project / "data/products").rglob(f"*{task}*stamp*"):
        file.unlink()


def _killed_in(project: Path, task: str, rng: random.Random) -> bool:
    """Start the pipeline, and kill all of it at a random moment of a task; tell whether the task had begun."""
    process = subprocess.Popen(
        _command(), cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    notebook = project / f"data/products/{task}.ipynb"
    until = time.monotonic() + 120
    while not notebook.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    began = notebook.exists() and process.poll() is None
    time.sleep(rng.uniform(0, 1.5))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(3)  # kernels notice by themselves that nobody is there
    return began


def _ours(process: psutil.Process, project: Path) -> bool:
    try:
        return process.cwd() == str(project) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _frames(project: Path) -> dict[str, str]:
    """Hash the data of each task."""
    import pandas as pd  # noqa: PLC0415

    return {file.stem: frame_hash(pd.read_parquet(file)) for file in (project / "data/products").glob("*.parquet")}
