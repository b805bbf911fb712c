from __future__ import annotations

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


def test_notebooks_that_run_at_once_leave_no_folder_behind_for_those_of_another_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = papermill_io.get_handler("local")._cwd
    crew = Crew(
        TwoAtOnce.names,
        reason=lambda pipeline, name: "asked for",
        begun=lambda name: None,
        ended=lambda task: None,
        tick=lambda tasks: None,
        most=2,
    )
    crew.work(TwoAtOnce(), TwoAtOnce.names)
    assert {task.status for task in crew.states.values()} == {"succeeded"}
    assert papermill_io.get_handler("local")._cwd == before
