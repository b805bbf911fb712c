from __future__ import annotations

import io

from workbench.pipeline.show import Lines, line
from workbench.store.runs import TaskRun

RUNNING = TaskRun(task="cohorts", status="running", seconds=1.0)
DONE = TaskRun(task="cohorts", status="succeeded", seconds=2.0, detail="the lake changed")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_one_line_when_a_task_has_ended():
    stream = io.StringIO()
    show = Lines(stream)
    for tasks in ([RUNNING], [DONE], [DONE]):
        show(tasks)
    assert stream.getvalue() == f"{line(DONE)}\n"


def test_a_terminal_is_drawn_over():
    stream = Terminal()
    show = Lines(stream)
    show([RUNNING])
    show([DONE])
    assert stream.getvalue().split("\x1b[1A")[1].startswith(f"\x1b[2K{line(DONE)}")


def test_an_error_of_many_lines_stays_on_one():
    assert "\n" not in line(TaskRun(task="x", status="failed", detail="a\nb\n" * 100))
