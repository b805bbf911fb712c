from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.test_child import SOURCE
from tests.reports import hostile
from workbench.config import Settings
from workbench.errors import PipelineError
from workbench.pipeline import child, schedule
from workbench.pipeline.jobs import Job, Schedule
from workbench.pipeline.schedule import Daemon, decide, execute, is_alive
from workbench.store import job_runs

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def a_job(name="tidy", text="0 * * * *", **more):
    return Job(**{"name": name, "kind": "compact", "schedule": text, "timezone": "UTC", **more})


def hours(decided, status="queued"):
    return [due.at.hour for due in decided if due.status == status]


@pytest.mark.parametrize(
    ("policy", "queued"),
    [("skip", []), ("once", [11]), ("all", [7, 8, 9, 10, 11])],
)
def test_what_was_missed_is_caught_up_by_the_policy_of_the_job(policy, queued):
    job = a_job(catch_up=policy, catch_up_most=5)
    decided = decide(job, NOON - timedelta(hours=36), NOON - timedelta(minutes=1))
    assert hours(decided)[-5:] == queued
    assert len(decided) == 35


def test_what_is_on_time_runs_by_every_policy():
    on_time = NOON + timedelta(seconds=1)
    for policy in ("skip", "once", "all"):
        assert hours(decide(a_job(catch_up=policy), NOON - timedelta(minutes=5), on_time)) == [12]


@given(st.sampled_from(["skip", "once", "all"]), st.integers(0, 3_000), st.integers(0, 30), st.integers(1, 9))
def test_every_instant_is_decided_once_and_never_more_waits_than_may(policy, minutes, active, most):
    job = a_job(text="*/20 * * * *", catch_up=policy, catch_up_most=most)
    decided = decide(job, NOON - timedelta(minutes=minutes), NOON, active=active)
    assert [due.at for due in decided] == job.missed(NOON - timedelta(minutes=minutes), NOON)
    queued = [due.at for due in decided if due.status == "queued"]
    assert len(queued) <= max(0, {"skip": 1, "once": 2, "all": most}[policy] - active)
    assert queued == sorted(queued)
    assert all(due.detail for due in decided if due.status == "skipped")


class World:
    """A daemon whose clock is set by hand; `python -m workbench` does as the first option of a job says."""

    def __init__(self, folder):
        self.now, self.folder, self.said = NOON, folder, []
        self.control = folder / "control.db"
        self.daemons = []

    def daemon(self, *jobs, **more):
        made = Daemon(
            Schedule(jobs=jobs, **more), self.control, Settings(), logs=self.folder / "logs", now=lambda: self.now,
            told=self.said.append,
        )  # fmt: skip
        self.daemons.append(made)
        return made

    def runs(self, job=None):
        return [(run.due_at.hour if run.due_at else None, run.status) for run in reversed(self.all(job))]

    def all(self, job=None):
        return job_runs.list_(self.control, limit=-1, job=job)

    def settle(self, daemon, seconds=20):
        until = time.monotonic() + seconds
        daemon.tick()
        while daemon._running:
            assert time.monotonic() < until
            time.sleep(0.02)
            daemon.tick(deciding=False)
        return daemon


@pytest.fixture
def world(tmp_path, monkeypatch):
    package = tmp_path / "fake/workbench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(child, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(Job, "command", property(lambda job: [job.options.get("mapping", "well")]))
    made = World(tmp_path)
    yield made
    for each in made.daemons:
        each._interrupt()
        each._outbox.close()


def told(what, name="tidy", **more):
    return a_job(name, kind="run", options={"mapping": what}, **more)


def test_a_job_that_is_new_begins_with_its_next_instant(world):
    daemon = world.settle(world.daemon(told("well")))
    assert world.runs() == []
    world.now += timedelta(hours=1, seconds=2)
    world.settle(daemon)
    assert world.runs() == [(13, "succeeded")]
    assert job_runs.jobs(world.control)[0].next_due == NOON + timedelta(hours=2)


def test_one_that_failed_is_tried_again_after_its_delay_and_then_has_failed(world):
    daemon = world.settle(world.daemon(told("fail", retry_delay="5m")))
    world.now += timedelta(hours=1)
    world.settle(daemon)
    assert [(run.status, run.attempt) for run in world.all()] == [("queued", 1)]
    world.now += timedelta(minutes=4)
    world.settle(daemon)
    assert world.all()[0].attempt == 1
    world.now += timedelta(minutes=2)
    world.settle(daemon)
    assert [(run.status, run.attempt, run.detail) for run in world.all()] == [
        ("failed", 2, "error: cohorts: cell [3] raised ValueError: no")
    ]


def test_a_failed_one_keeps_no_other_from_running(world):
    daemon = world.settle(world.daemon(told("fail", retries=0), told("well", "other")))
    world.now += timedelta(hours=1)
    world.settle(daemon)
    assert (world.runs("tidy"), world.runs("other")) == ([(13, "failed")], [(13, "succeeded")])


def test_two_runs_of_a_job_are_never_at_once(world):
    daemon = world.settle(world.daemon(told("wait", catch_up="once")))
    for _ in range(3):
        world.now += timedelta(hours=1)
        daemon.tick()
    assert world.runs() == [(13, "running"), (14, "queued"), (15, "skipped")]


def test_a_clock_that_is_set_back_runs_nothing_twice_and_one_set_forward_catches_up(world):
    daemon = world.settle(world.daemon(told("well", catch_up="once")))
    world.now += timedelta(hours=1)
    world.settle(daemon)
    world.now -= timedelta(minutes=30)
    world.settle(daemon)
    world.now += timedelta(minutes=45)
    world.settle(daemon)
    assert world.runs() == [(13, "succeeded")]
    world.now += timedelta(hours=5)
    world.settle(daemon)
    assert world.runs() == [
        (13, "succeeded"), (14, "skipped"), (15, "skipped"), (16, "skipped"), (17, "skipped"), (18, "succeeded"),
    ]  # fmt: skip


def test_a_clock_that_was_years_ahead_for_a_moment_stops_no_job(world):
    daemon = world.settle(world.daemon(told("well")))
    world.now += timedelta(days=2_000)
    daemon.tick()
    world.now -= timedelta(days=2_000)
    world.settle(daemon)
    world.now += timedelta(hours=1)
    world.settle(daemon)
    assert (13, "succeeded") in world.runs()


def test_a_second_daemon_is_refused(world):
    daemon = world.daemon(told("well"))
    thread = threading.Thread(target=daemon.run)
    thread.start()
    try:
        while not is_alive(world.control):
            time.sleep(0.01)
        with pytest.raises(PipelineError, match="another `workbench schedule` runs"):
            world.daemon(told("well")).run()
    finally:
        daemon.stop()
        thread.join()
    assert not is_alive(world.control)


def test_what_a_killed_daemon_left_is_ended_and_runs_again(world):
    first = world.settle(world.daemon(told("wait")))
    world.now += timedelta(hours=1)
    first.tick()
    [before] = world.all()
    orphans = [*first._running.values()]
    first._running.clear()  # it is gone, and its children are not
    second = world.daemon(told("wait"))
    second.recover()
    assert [each._process.wait(timeout=5) for each in orphans] == [-signal.SIGKILL]
    second.tick()
    [after] = world.all()
    assert (after.run_id, after.status, after.attempt) == (before.run_id, "running", 1)
    assert after.pid != before.pid


def test_what_runs_is_interrupted_at_the_end_and_waits_for_the_next_daemon(world):
    daemon = world.settle(world.daemon(told("wait")))
    world.now += timedelta(hours=1)
    daemon.tick()
    pid = world.all()[0].pid
    daemon._interrupt()
    assert [(run.status, run.attempt) for run in world.all()] == [("queued", 0)]
    assert not psutil.pid_exists(pid)


def test_a_run_is_cancelled_wherever_it_stands(world):
    daemon = world.settle(world.daemon(told("wait", catch_up="all")))
    world.now += timedelta(hours=2)
    daemon.tick()
    for run in world.all():
        job_runs.update(world.control, run.run_id, cancelled_by="ann")
    world.settle(daemon)
    assert world.runs() == [(13, "cancelled"), (14, "cancelled")]


def test_a_job_that_left_the_schedule_does_not_run(world):
    daemon = world.settle(world.daemon(told("wait", catch_up="once")))
    world.now += timedelta(hours=2)
    job_runs.add(world.control, "tidy", ["well"], now=world.now, due_at=NOON)
    daemon = world.daemon(told("well", "other"))
    daemon.recover()
    world.settle(daemon)
    assert [job.job for job in job_runs.jobs(world.control)] == ["other"]
    assert world.runs("tidy") == [(12, "cancelled")]


def test_a_run_by_hand_is_in_the_history(world):
    done = execute(world.control, "pipeline", ["fail"], logs=world.folder / "logs", timeout=20)
    assert (done.status, done.due_at, done.attempt) == ("failed", None, 1)
    assert world.all()[0].run_id == done.run_id


def test_what_runs_by_hand_is_left_alone_by_a_daemon_that_begins(world):
    done = []
    by_hand = threading.Thread(
        target=lambda: done.append(execute(world.control, "tidy", ["wait"], logs=world.folder / "logs", timeout=20))
    )
    by_hand.start()
    try:
        while not (world.control.exists() and world.all() and world.all()[0].pid):
            time.sleep(0.02)
        [before] = world.all()
        world.daemon(told("wait")).recover()
        assert world.all() == [before]
        assert psutil.pid_exists(before.pid)
    finally:
        job_runs.update(world.control, before.run_id, cancelled_by="ann")
        by_hand.join(timeout=20)
    assert [run.status for run in done] == ["cancelled"]


def test_once_ends_when_all_that_was_due_has_ended(world):
    world.settle(world.daemon(told("well")))
    world.now += timedelta(hours=1)
    world.daemon(told("well")).run(once=True)
    assert world.runs() == [(13, "succeeded")]


def test_the_command_ends_by_a_signal_and_leaves_no_process(tmp_path):
    (tmp_path / "workbench.yaml").touch()
    command = [sys.executable, "-m", "workbench", "schedule"]
    daemon = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert "jobs; Ctrl-C ends" in daemon.stdout.readline()
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=30)
    assert daemon.returncode == 0
    assert schedule.is_alive(tmp_path / "data/lake/control.db") is False


JOBS = """
notify: ["http://127.0.0.1:{port}/hook"]
jobs:
  broken: {{kind: run, schedule: "@monthly", retries: 0, options: {{source: no-such-file.jsonl}}}}
"""


def test_a_notice_that_hangs_keeps_no_daemon_from_ending(tmp_path):
    (tmp_path / "workbench.yaml").write_text("delivery: {timeout_seconds: 300, private_hosts: [127.0.0.1]}")
    command, connected = [sys.executable, "-m", "workbench", "schedule"], threading.Event()

    def noted(connection, stop, heard):
        connected.set()
        hostile.dripping(b"HTTP/1.1 2")(connection, stop, heard)

    with hostile.server(noted) as (port, _):
        (tmp_path / "schedule.yaml").write_text(JOBS.format(port=port))
        subprocess.run([*command, "list"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*command, "now", "broken"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as daemon:
            in_time = connected.wait(180)  # a command takes its time to start where others are at work
            began = time.monotonic()
            daemon.send_signal(signal.SIGTERM)
            said, _ = daemon.communicate(timeout=60)
    assert (in_time, daemon.returncode, time.monotonic() - began < 30) == (True, 0, True)
    assert "1 notices were not sent" in said
