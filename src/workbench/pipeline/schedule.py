"""The daemon: what is due is decided once, queued, run in processes of its own, tried again, told of when it failed.

Everything that matters is in the control state: a daemon that was killed is followed by one that ends what the first
left running, queues it again, and decides on all that was due meanwhile.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench import config
from workbench.errors import InvalidArgument
from workbench.metrics.arguments import duration
from workbench.pipeline import lock, notices
from workbench.pipeline.child import Child, end_all, is_running
from workbench.pipeline.jobs import Job
from workbench.reports.render import mask
from workbench.store import job_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from workbench.config import Settings
    from workbench.pipeline.child import Ended
    from workbench.pipeline.jobs import Schedule
    from workbench.store.job_runs import JobRun

TICK_SECONDS: Final = 0.25
ON_TIME: Final = timedelta(minutes=1)
"""A job that is due no longer ago than this is on time: whether to catch up is no question."""


@dataclass(frozen=True)
class Due:
    """One instant at which a job was due, and what becomes of it: `queued`, or `skipped` and why."""

    at: datetime
    status: str
    detail: str = ""


def decide(job: Job, since: datetime, now: datetime, *, active: int = 0) -> list[Due]:
    """Decide on every instant in `(since, now]` at which a job was due.

    Args:
        job: The job, with its policy for what was missed.
        since: Of everything up to here it was decided before.
        now: The present.
        active: How many of its runs wait or run: there is never more than one beside, and never two at once.

    >>> from datetime import UTC, datetime
    >>> from workbench.pipeline.jobs import Job
    >>> job = Job(name="tidy", kind="compact", schedule="@hourly", timezone="UTC", catch_up="once")
    >>> noon = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
    >>> [(due.at.hour, due.status) for due in decide(job, noon.replace(hour=9), noon)]
    [(10, 'skipped'), (11, 'skipped'), (12, 'queued')]
    """
    missed = job.missed(since, now)
    fresh = [at for at in missed if now - at <= ON_TIME][-1:]
    wanted = {"skip": fresh, "once": missed[-1:], "all": missed[-job.catch_up_most :]}[job.catch_up]
    room = {"skip": 1, "once": 2, "all": job.catch_up_most}[job.catch_up] - active
    kept = set(wanted[: max(0, room)])
    why = {
        at: "the run before it is not over" if at in wanted else f"missed; catch_up is {job.catch_up}" for at in missed
    }
    return [Due(at, "queued") if at in kept else Due(at, "skipped", why[at]) for at in missed]


class Daemon:
    """Runs a schedule against one store."""

    def __init__(
        self,
        schedule: Schedule,
        control: Path,
        settings: Settings,
        *,
        logs: Path,
        at_once: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        told: Callable[[str], object] = lambda _: None,
    ) -> None:
        """Take what to run.

        Args:
            schedule: The jobs.
            control: The control state of the store, where queue and history are.
            settings: How failures are told of.
            logs: Folder of what the runs write.
            at_once: How many run side by side, if not as many as the schedule says.
            now: The clock; how long things take is measured by another that nobody sets.
            told: Is given a line for whatever happens.
        """
        self.schedule, self.control, self.logs = schedule, control, logs
        self._settings, self._now, self._told = settings, now, told
        self._most = at_once or schedule.at_once
        self._running: dict[str, Child] = {}  # by job, of which one runs at a time
        self._stopping = threading.Event()
        self._outbox = notices.Outbox(settings, told=told)

    def stop(self) -> None:
        """End soon; what runs is interrupted and queued again for the next daemon. Safe in a signal handler."""
        self._stopping.set()

    def run(self, *, once: bool = False) -> None:
        """Run until `stop`; with `once` until everything that is due now has ended.

        Raises:
            PipelineError: Another daemon runs this store's schedule.
        """
        with alone(self.control):
            self.recover()
            try:
                self.tick()
                while not self._stopping.wait(TICK_SECONDS) and not (once and self._is_idle()):
                    self.tick(deciding=not once)
                self._outbox.settle(self._stopping)
            finally:
                self._interrupt()
                self._outbox.close()

    def recover(self) -> None:
        """End what a daemon that was killed left running, and queue it again; what runs by hand goes on."""
        now = self._now()
        for run in job_runs.list_(self.control, limit=-1, status=("running",)):
            if lock.is_held(_by_hand(self.logs, run.run_id)):
                continue
            left = end_all(run.run_id, run.pid if is_running(run.pid, run.pid_started) else None)
            detail = f"the schedule's daemon ended without a word ({left} processes were left, and ended)"
            job_runs.update(
                self.control, run.run_id, status="queued", not_before=now, attempt=max(0, run.attempt - 1),
                pid=None, detail=detail,
            )  # fmt: skip
            self._told(f"{run.job} {run.run_id}: {detail}; it runs again")
        job_runs.forget_jobs(self.control, [job.name for job in self.schedule.jobs])

    def tick(self, *, deciding: bool = True) -> None:
        """Go round once: decide on what is due, take note of what has ended, stop what is to stop, start what waits."""
        if deciding:
            known = {state.job: state for state in job_runs.jobs(self.control)}
            for job in self.schedule.jobs:
                self._decide(job, known.get(job.name))
        self._collect()
        self._cancel()
        self._start()

    def _is_idle(self) -> bool:
        return not self._running and not job_runs.active(self.control)

    def _decide(self, job: Job, known: job_runs.JobState | None) -> None:
        now = self._now()
        since = min(known.seen_at, now) if known else now  # a clock that was set back: instants are decided once
        same = known and (known.kind, known.schedule, known.timezone) == (job.kind, job.schedule, job.timezone)
        if same and known and known.next_due and since == known.seen_at and now < known.next_due:
            return
        active = len(job_runs.active(self.control, job.name)) if known else 0
        decided = decide(job, since, now, active=active)
        command = job.command if decided else ()
        for due in decided:
            run_id = job_runs.add(
                self.control, job.name, command, now=now, due_at=due.at, status=due.status, detail=due.detail
            )
            if run_id is not None:
                self._told(f"{job.name} {run_id} due {due.at:%Y-%m-%d %H:%M} UTC: {due.detail or due.status}")
        state = job_runs.JobState(
            job=job.name, kind=job.kind, schedule=job.schedule, timezone=job.timezone, seen_at=now,
            next_due=job.cron.after(now),
        )  # fmt: skip
        job_runs.note_job(self.control, state)

    def _start(self) -> None:
        """Start what waits, one run of a job at a time."""
        for run in job_runs.waiting(self.control, self._now()):
            if len(self._running) >= self._most:
                return
            if run.job not in self._running:
                self._begin(run)

    def _begin(self, run: JobRun) -> None:
        now, job = self._now(), self._job(run)
        log = self.logs / f"{run.run_id}.log"
        child = Child(
            run.run_id, run.command, log=log, timeout=duration(job.timeout).total_seconds(), memory_mb=job.memory_mb
        )
        self._running[run.job] = child
        job_runs.update(self.control, run.run_id, **_begun(child, attempt=run.attempt + 1, now=now))
        self._told(f"{run.job} {run.run_id} started, attempt {run.attempt + 1}")

    def _job(self, run: JobRun) -> Job:
        """Return the bounds of a run; one of a job that is gone has the usual ones."""
        try:
            return self.schedule.job(run.job)
        except InvalidArgument:
            return Job(name="by-hand", kind="run", schedule="@daily", timezone="UTC", retries=0)

    def _collect(self) -> None:
        for job, child in list(self._running.items()):
            ended = child.poll()
            if ended is not None:
                del self._running[job]
                self._ended(job_runs.show(self.control, child.run_id), ended)

    def _ended(self, run: JobRun, ended: Ended) -> None:
        if run.log is not None and Path(run.log).is_file():
            mask(Path(run.log), self._settings)
        job, now = self._job(run), self._now()
        facts = _over(ended, self._settings, now=now)
        if self._stopping.is_set() and ended.status != "succeeded":
            again = {"status": "queued", "not_before": now, "attempt": run.attempt - 1}
            job_runs.update(self.control, run.run_id, **(facts | again | {"detail": "the schedule was stopped"}))
        elif ended.status == "failed" and run.attempt <= job.retries:
            later = now + duration(job.retry_delay)
            job_runs.update(self.control, run.run_id, **(facts | {"status": "queued", "not_before": later}))
            self._told(f"{run.job} {run.run_id} failed, and is tried again at {later:%H:%M:%S}: {ended.detail}")
        else:
            job_runs.update(self.control, run.run_id, **facts)
            self._told(f"{run.job} {run.run_id} {ended.status}{': ' if ended.detail else ''}{ended.detail}")
            if ended.status == "failed":
                self._notify(job, job_runs.show(self.control, run.run_id))

    def _notify(self, job: Job, run: JobRun) -> None:
        to = list(dict.fromkeys([*job.notify, *self.schedule.notify]))
        if to:
            self._outbox.add(run, to)

    def _cancel(self) -> None:
        """Stop what somebody asked to stop."""
        for run in job_runs.active(self.control):
            if run.cancelled_by is None:
                continue
            why = f"cancelled by {run.cancelled_by}"
            child = self._running.get(run.job)
            if child is not None and child.run_id == run.run_id:
                child.stop(why, status="cancelled")
            elif run.status == "queued":
                job_runs.update(self.control, run.run_id, status="cancelled", detail=why, finished_at=self._now())

    def _interrupt(self) -> None:
        """Interrupt what runs, and wait until none of its processes is left."""
        self._stopping.set()
        for child in self._running.values():
            child.stop("the schedule was stopped")
        while self._running:
            self._collect()
            time.sleep(0.05)


def alone(control: Path) -> AbstractContextManager[None]:
    """Keep a second daemon from the same store.

    Raises:
        PipelineError: There is one already.
    """
    return lock.held(
        _lock_of(control), why_not=f"another `workbench schedule` runs for {control.parent}: one is enough"
    )


def is_alive(control: Path) -> bool:
    """Tell whether a daemon runs for a store."""
    return lock.is_held(_lock_of(control))


def execute(control: Path, job: str, words: Sequence[str], *, logs: Path, timeout: float) -> JobRun:
    """Run a command now, in this process's care, as a run by hand; return how it went.

    Raises:
        KeyboardInterrupt: Ctrl-C; the run is in the history as cancelled.
    """
    now, settings = datetime.now(UTC), config.load()
    run_id = job_runs.new_id(now)
    kept = _by_hand(logs, run_id)
    with lock.held(kept, why_not=f"{run_id} runs already"):
        job_runs.add(control, job, words, now=now, run_id=run_id, status="running")
        child = Child(run_id, words, log=logs / f"{run_id}.log", timeout=timeout)
        job_runs.update(control, run_id, **_begun(child, attempt=1, now=now))
        ended, stopped = _watched(control, child)
        mask(child.log, settings)
        job_runs.update(control, run_id, **_over(ended, settings, now=datetime.now(UTC)))
        kept.unlink(missing_ok=True)
    if stopped:
        raise KeyboardInterrupt
    return job_runs.show(control, run_id)


def _watched(control: Path, child: Child) -> tuple[Ended, bool]:
    """Wait until a run by hand has ended; return how, and whether by Ctrl-C."""
    stopped = False
    while (ended := child.poll()) is None:
        try:
            time.sleep(TICK_SECONDS)
            asked = job_runs.show(control, child.run_id).cancelled_by
        except KeyboardInterrupt:
            stopped, asked = True, "Ctrl-C"
        if asked:
            child.stop(f"cancelled by {asked}", status="cancelled")
    return ended, stopped


def _begun(child: Child, *, attempt: int, now: datetime) -> dict[str, object]:
    """Return what is written down of an attempt that begins."""
    return {
        "status": "running", "attempt": attempt, "started_at": now, "finished_at": None, "pid": child.pid,
        "pid_started": child.pid_started, "log": str(child.log), "exit_code": None, "detail": "",
    }  # fmt: skip


def _over(ended: Ended, settings: Settings, *, now: datetime) -> dict[str, object]:
    """Return what is written down of an attempt that has ended."""
    return {
        "status": ended.status, "finished_at": now, "pid": None, "exit_code": ended.exit_code,
        "peak_mb": ended.peak_mb, "detail": config.masked(ended.detail, settings),
    }  # fmt: skip


def _by_hand(logs: Path, run_id: str) -> Path:
    """Return the lock of a run that is in the care of the process that was asked for it."""
    return logs / f"{run_id}.lock"


def _lock_of(control: Path) -> Path:
    return control.with_name("schedule.lock")
