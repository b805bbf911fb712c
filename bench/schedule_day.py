"""A day of the schedule in fast time: jobs that succeed, fail, hang and eat memory, and a daemon that is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil
import yaml
from aiosmtpd.controller import Controller
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.pipeline.child import MARK
from workbench.store import job_runs

if TYPE_CHECKING:
    import argparse

ROOT = Path(__file__).parents[1]
FOLDER = Path(".cache/bench/schedule-day")
SPEED = 60
GIVEN = "lake = 'data/lake'\nknown_at = None  # type: str\nuntil = None  # type: str"
BAD = {
    "fails": "1 / 0",
    "hangs": "import time; time.sleep(600)",
    "eats": "import os\nheld = []\nwhile True: held.append(os.urandom(1 << 24))",
    "dies": "import os; os.kill(os.getpid(), 9)",
    "shouts": "for _ in range(100): print('x' * (1 << 20))\n1 / 0",
}
"""Reports that go wrong, each in its own way."""

DAEMON = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from workbench import config
from workbench.pipeline.jobs import load
from workbench.pipeline.schedule import Daemon
real, start = float(sys.argv[1]), datetime.fromisoformat(sys.argv[2])
settings = config.load()
daemon = Daemon(
    load(), Path("data/lake/control.db"), settings, logs=Path("data/logs"), told=lambda line: print(line, flush=True),
    now=lambda: start + timedelta(seconds=(time.time() - real) * float(sys.argv[3])),
)
import signal
signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
daemon.run()
"""


class Sink:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        """Begin with none."""
        self.letters: list[object] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
        """Keep a letter."""
        del server, session
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def day(wanted: argparse.Namespace) -> bool:
    """Run a schedule in fast time. Figure: every failure is told of, the others succeed, no process is left."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        project = _project(port)
        _let_run(project, wanted.minutes * 60)
        time.sleep(1)
    finally:
        controller.stop()
    runs = job_runs.list_(project / "data/lake/control.db", limit=-1)
    found = Counter((run.job, run.status) for run in runs if run.status != "queued")
    for job, status in sorted(found):
        print(f"  {job:16} {status:10} {found[job, status]:4}")
    _keep(sink.letters)
    subjects = Counter(letter["Subject"].split(",")[0] for letter in sink.letters)
    print(f"  mails: {dict(subjects)}")
    left = [process.pid for process in psutil.process_iter() if _marked(process)]
    failed = Counter(run.job for run in runs if run.status == "failed")
    told = all(subjects[f"Workbench: {job} failed"] == count for job, count in failed.items())
    good = {"pipeline", "weekly_product", "data_quality", "compaction"}
    fine = all(found[job, "succeeded"] and not found[job, "failed"] for job in good)
    print(
        f"day: {wanted.minutes:g} minutes at {SPEED}x, the daemon killed once; {sum(failed.values())} failures, "
        f"{'each' if told else 'NOT each'} told of by mail; {len(sink.letters)} mails; {len(left)} processes left"
    )
    return told and fine and failed.keys() == BAD.keys() and not left


def _let_run(project: Path, seconds: float) -> None:
    """Run the daemon, kill it once in the middle, and end it as systemd would."""
    real, start = time.time(), "2026-11-27T06:30:00+00:00"
    log = (project / "daemon.log").open("a")
    with log:
        for part, how in ((0.4, signal.SIGKILL), (0.6, signal.SIGTERM)):
            daemon = subprocess.Popen(
                [sys.executable, "-c", DAEMON, str(real), start, str(SPEED)],
                cwd=project,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            time.sleep(seconds * part)
            daemon.send_signal(how)
            daemon.wait(timeout=60)


def _project(port: int) -> Path:
    project = FOLDER.absolute()
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    for name in ("pipeline.yaml", "env.yaml", "notebooks"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, project / name)
    (project / "workbench.yaml").write_text(
        yaml.safe_dump({"delivery": {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}})
    )
    words = ["simulate", "--users", "300", "--days", "100", "--out", "sample.jsonl.gz"]
    subprocess.run([sys.executable, "-m", "workbench", *words], cwd=project, check=True, capture_output=True)
    words = ["run", "--source", "sample.jsonl.gz"]
    subprocess.run([sys.executable, "-m", "workbench", *words], cwd=project, check=True, capture_output=True)
    catalog = yaml.safe_load((ROOT / "src/workbench/reports/reports.yaml").read_text())
    for name in catalog["reports"]:
        catalog["reports"][name] |= {"schedule": "0 */3 * * *", "to": ["mailto:team@example.com"]}
    jobs: dict[str, object] = {
        "pipeline": {"kind": "run", "schedule": "@hourly"},
        "compaction": {"kind": "compact", "schedule": "45 * * * *"},
    }
    for number, (name, cell) in enumerate(BAD.items()):
        _notebook(project / f"{name}.ipynb", name, cell)
        catalog["reports"][name] = {"title": f"One that {name}", "notebook": f"{name}.ipynb", "formats": ["html"]}
        jobs[name] = {
            "kind": "report", "schedule": f"{10 * number} */4 * * *", "options": {"report": name}, "retry_delay": "30s",
            "timeout": "20s" if name == "hangs" else "120s", "memory_mb": 1500, "catch_up": "skip",
        }  # fmt: skip
    (project / "reports.yaml").write_text(yaml.safe_dump(catalog))
    (project / "schedule.yaml").write_text(yaml.safe_dump({"notify": ["mailto:ops@example.com"], "jobs": jobs}))
    return project


def _notebook(path: Path, name: str, cell: str) -> None:
    nb = new_notebook(metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}})
    nb.cells = [new_markdown_cell(f"# One that {name}\n\nA test."), new_code_cell(GIVEN), new_code_cell(cell)]
    nb.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(nb, path)


def _keep(letters: list[object]) -> None:
    """Keep what was mailed, to be looked at."""
    folder = FOLDER / "mails"
    folder.mkdir(exist_ok=True)
    for number, letter in enumerate(letters):
        (folder / f"{number:03}.eml").write_bytes(letter.as_bytes())
        page = letter.get_body(("html",))
        if page is not None:
            (folder / f"{number:03}.html").write_text(page.get_content())
    (folder / "subjects.json").write_text(json.dumps([letter["Subject"] for letter in letters], indent=1))


def _marked(process: psutil.Process) -> bool:
    try:
        return MARK in process.environ() and process.pid != os.getpid()
    except psutil.Error:
        return False
