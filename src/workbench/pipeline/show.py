"""How a run shows in a terminal: one line a task, redrawn in place; in a file, a line when a task has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Collection

    from workbench.store.runs import TaskRun

_MARKS: Final = {"succeeded": "✓", "skipped": "=", "failed": "✗", "running": ">", "not run": "-", "waiting": " "}
_WIDTH: Final = 100


class Lines:
    """Call it with the state of all tasks, as often as you like."""

    def __init__(self, stream: TextIO) -> None:
        """Write to a stream."""
        self._stream = stream
        self._live = stream.isatty()
        self._drawn = 0
        self._said: set[str] = set()

    def __call__(self, tasks: Collection[TaskRun]) -> None:
        """Show the state of all tasks."""
        if self._live:
            up = f"\x1b[{self._drawn}A" if self._drawn else ""
            self._stream.write(up + "".join(f"\x1b[2K{line(task)}\n" for task in tasks))
            self._drawn = len(tasks)
        else:
            ended = [
                task for task in tasks if task.status not in {"waiting", "running"} and task.task not in self._said
            ]
            self._stream.writelines(f"{line(task)}\n" for task in ended)
            self._said.update(task.task for task in ended)
        self._stream.flush()


def line(task: TaskRun) -> str:
    """Write one line about a task.

    >>> from workbench.store.runs import TaskRun
    >>> line(TaskRun(task="cohorts", status="succeeded", seconds=3.21, detail="the lake changed"))
    '✓ cohorts       succeeded     3.2 s  the lake changed'
    """
    seconds = f"{task.seconds:7.1f} s" if task.seconds else " " * 9
    detail = " ".join(task.detail.split())
    return f"{_MARKS[task.status]} {task.task:<13} {task.status:<9} {seconds}  {detail}"[:_WIDTH].rstrip()
