from __future__ import annotations

import time
from threading import Event

from papermill.iorw import local_file_io_cwd, papermill_io

from workbench.pipeline.crew import Crew


class TwoAtOnce:
    """Two notebooks that begin one after the other, and end in that order."""

    names = ("first", "second")

    def __init__(self):
        self.first_has_begun, self.second_has_begun, self.first_has_ended = Event(), Event(), Event()

    def upstream(self, name):
        return frozenset()

    def build(self, name):
        if name == "first":
            with local_file_io_cwd():
                self.first_has_begun.set()
                assert self.second_has_begun.wait(60)
            self.first_has_ended.set()
        else:
            assert self.first_has_begun.wait(60)
            with local_file_io_cwd():
                self.second_has_begun.set()
                assert self.first_has_ended.wait(60)


def crew_of(names, *, most):
    return Crew(
        names,
        reason=lambda pipeline, name: "asked for",
        begun=lambda name: None,
        ended=lambda task: None,
        tick=lambda tasks: None,
        most=most,
    )


def test_notebooks_that_run_at_once_leave_no_folder_behind_for_those_of_another_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = papermill_io.get_handler("local")._cwd
    crew = crew_of(TwoAtOnce.names, most=2)
    crew.work(TwoAtOnce(), TwoAtOnce.names)
    assert {task.status for task in crew.states.values()} == {"succeeded"}
    assert papermill_io.get_handler("local")._cwd == before


class Slow:
    """Two notebooks of a fifth of a second."""

    names = ("first", "second")

    def upstream(self, name):
        return frozenset()

    def build(self, name):
        time.sleep(0.2)


def test_the_time_of_a_task_does_not_count_how_long_it_waited_for_a_processor():
    crew = crew_of(Slow.names, most=1)
    begin = time.monotonic()
    crew.work(Slow(), Slow.names)
    total = time.monotonic() - begin
    assert sum(task.seconds for task in crew.states.values()) <= total
