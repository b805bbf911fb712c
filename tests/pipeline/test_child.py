"""Children are real processes; `python -m workbench` is stood in for by a small package that does as it is told."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from workbench.pipeline import child as room
from workbench.pipeline.child import Child, cut, end_all, last_words

SOURCE = """
import os, signal, subprocess, sys, time
what = sys.argv[1]
print("began", what, flush=True)
if what == "fail":
    print("error: cohorts: cell [3] raised ValueError: no"); sys.exit(1)
if what == "hang":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    time.sleep(600)
if what == "wait":
    time.sleep(600)
if what == "orphan":
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
if what == "eat":
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20) * 16)); time.sleep(0.05)
if what == "shout":
    for _ in range(100): sys.stdout.write("x" * (1 << 20))
    print("\\nthe last line")
if what == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def start(tmp_path, monkeypatch):
    package = tmp_path / "fake/workbench"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SOURCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    monkeypatch.setattr(room, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(room, "LOOK_SECONDS", 0.05)
    begun = []

    def go(*words, **bounds):
        run_id = f"j{tmp_path.name}-{len(begun)}"
        begun.append(Child(run_id, words, log=tmp_path / f"{run_id}.log", **{"timeout": 60, **bounds}))
        return begun[-1]

    yield go
    for each in begun:
        end_all(each.run_id, each.pid)
        each._process.wait()


def ended(child):
    for _ in range(1_000):
        if (found := child.poll()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("it never ended")


def left(child):
    return list(room._processes(child.run_id, child.pid))


def test_a_command_that_ends_well_has_succeeded(start):
    child = start("well")
    assert (ended(child).status, left(child)) == ("succeeded", [])
    assert "began well" in child.log.read_text()


def test_one_that_fails_says_why_in_the_words_it_ended_with(start):
    found = ended(start("fail"))
    assert (found.status, found.exit_code) == ("failed", 1)
    assert found.detail == "error: cohorts: cell [3] raised ValueError: no"


def test_one_that_hangs_and_ignores_being_interrupted_is_killed_with_all_it_started(start):
    child = start("hang", timeout=1.0)
    found = ended(child)
    assert (found.status, left(child)) == ("failed", [])
    assert "stopped after 1 s" in found.detail


def test_nothing_is_left_of_one_that_ended_well_but_left_a_process(start):
    child = start("orphan")
    assert (ended(child).status, left(child)) == ("succeeded", [])


def test_one_that_takes_too_much_memory_is_stopped(start):
    found = ended(start("eat", memory_mb=200))
    assert found.status == "failed"
    assert found.peak_mb > 200
    assert "of 200 MB that it may take" in found.detail


def test_of_a_hundred_megabytes_of_words_both_ends_are_kept(start):
    child = start("shout")
    assert ended(child).status == "succeeded"
    text = child.log.read_text()
    assert child.log.stat().st_size < room.MOST_LOG
    assert text.startswith("began shout")
    assert text.endswith("the last line\n")
    assert "bytes are left out" in text


def test_one_that_was_killed_says_so(start):
    assert ended(start("kill")).detail.startswith("it was killed by SIGKILL")


def test_one_that_was_cancelled_is_not_called_failed(start):
    child = start("wait")
    child.stop("cancelled by ann", status="cancelled")
    found = ended(child)
    assert (found.status, found.exit_code) in {("cancelled", -signal.SIGINT), ("cancelled", 1), ("cancelled", -9)}
    assert found.detail.startswith("cancelled by ann")


def test_processes_of_others_are_left_alone(start):
    child = start("wait")
    assert end_all("another run") == 0
    assert psutil.pid_exists(child.pid)


def test_a_number_that_was_taken_by_a_later_process_is_not_the_same_process():
    assert room.is_running(os.getpid(), psutil.Process().create_time())
    assert not room.is_running(os.getpid(), psutil.Process().create_time() - 60)
    assert not room.is_running(None, None)


def test_a_short_log_stays_as_it_is(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n\n")
    cut(log)
    assert (log.read_text(), last_words(log), last_words(tmp_path / "none")) == ("one\ntwo\n\n", "two", "")
