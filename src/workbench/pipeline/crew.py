"""Tasks in their order, several at a time where they do not build on each other."""

from __future__ import annotations

import os
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from workbench.errors import PipelineError
from workbench.pipeline.build import Kernel, one_folder, quiet
from workbench.store.runs import TaskRun

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from workbench.pipeline.build import Pipeline

WORKERS: Final = max(1, min(4, os.cpu_count() or 1))
TICK_SECONDS: Final = 1.0
SETTLED: Final = {"skipped", "succeeded", "failed", "not run"}


class Crew:
    """Builds tasks and keeps the state of each in `states`."""

    def __init__(
        self,
        names: Collection[str],
        *,
        reason: Callable[[Pipeline, str], str],
        begun: Callable[[str], None],
        ended: Callable[[TaskRun], None],
        tick: Callable[[Collection[TaskRun]], None],
        most: int | None = None,
    ) -> None:
        """Prepare for tasks.

        Args:
            names: All tasks, in the order in which to show them.
            reason: Says why a task must run; empty if it is up to date.
            begun: Called before a task runs.
            ended: Called when one was skipped, succeeded or failed.
            tick: Called with the state of all, when one changes and every second.
            most: How many run at once; as many as there are processors, up to four, if not given.
        """
        self.states = {name: TaskRun(task=name, status="waiting") for name in names}
        self._reason, self._begun, self._ended, self._tick = reason, begun, ended, tick
        self._started: dict[str, float] = {}
        self._stopped: dict[str, float] = {}
        self._most = most or WORKERS

    def work(self, pipeline: Pipeline, names: Collection[str]) -> None:
        """Build tasks. One that fails stops those that build on it, no others.

        Raises:
            KeyboardInterrupt: Ctrl-C; the running notebooks were stopped, and their tasks have failed.
        """
        busy: dict[Future[None], str] = {}
        with quiet(), one_folder(), ThreadPoolExecutor(self._most) as pool:
            try:
                while self._hand_out(pipeline, names, pool, busy) or busy:
                    self._collect(busy)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                while any(future.running() for future in busy):
                    Kernel.kill_all()
                    wait(busy, timeout=TICK_SECONDS)
                for name in busy.values():
                    self._settle(name, "failed", "cancelled")
                raise

    def _hand_out(
        self, pipeline: Pipeline, names: Collection[str], pool: ThreadPoolExecutor, busy: dict[Future[None], str]
    ) -> bool:
        """Start, skip or give up what is ready; tell whether any of it was settled at once."""
        before = sum(state.status in SETTLED for state in self.states.values())
        for name in pipeline.names:
            above = {self.states[task].status for task in pipeline.upstream(name)}
            if name not in names or self.states[name].status != "waiting" or not above <= SETTLED:
                continue
            if above & {"failed", "not run"}:
                self._set(name, "not run", "something that it builds on failed")
            elif why := self._reason(pipeline, name):
                self._begun(name)
                self._set(name, "running", why)
                busy[pool.submit(self._build, pipeline, name)] = name
            else:
                self._settle(name, "skipped", "nothing changed")
        return sum(state.status in SETTLED for state in self.states.values()) > before

    def _build(self, pipeline: Pipeline, name: str) -> None:
        """Build a task, and take its time: without the wait for a free processor before, or for the others after."""
        self._started[name] = time.monotonic()
        try:
            pipeline.build(name)
        finally:
            self._stopped[name] = time.monotonic()

    def _collect(self, busy: dict[Future[None], str]) -> None:
        """Wait a moment for running tasks, and settle those that have ended."""
        ended, _ = wait(busy, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
        for future in ended:
            name = busy.pop(future)
            error = future.exception()
            if error is None:
                self._settle(name, "succeeded", self.states[name].detail)
            elif isinstance(error, PipelineError):
                self._settle(name, "failed", str(error))
            else:
                raise error
        for name in busy.values():
            self._set(name, "running", self.states[name].detail)

    def _settle(self, name: str, status: str, detail: str) -> None:
        self._set(name, status, detail)
        self._ended(self.states[name])

    def _set(self, name: str, status: str, detail: str) -> None:
        until = self._stopped.get(name, time.monotonic())
        seconds = until - self._started[name] if name in self._started else 0.0
        self.states[name] = TaskRun(task=name, status=status, seconds=seconds, detail=detail)
        self._tick(self.states.values())
