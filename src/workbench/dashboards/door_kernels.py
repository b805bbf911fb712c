"""The kernels of visitors: how many have one, and which wait ready for the next."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from jupyter_core.utils import ensure_async
from jupyter_server.base.call_context import CallContext
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

SECRET: Final = "WORKBENCH_DASHBOARDS__TOKEN"  # noqa: S105 - a name
FRUGAL: Final = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
"""Gives memory back that was used for a moment: some 30 MB of a kernel, for no time that could be measured."""

_READY: Final = "VOILA_PREHEAT"


class Kernels(AsyncMappingKernelManager):
    """Starts kernels for visitors and ahead of them, tells them apart, and ends those that nobody looks at."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - as Jupyter makes it
        self._ahead: set[str] = set()
        self._starting: Counter[bool] = Counter()
        self._starting_for: Counter[str] = Counter()
        self._opened_by: dict[str, str] = {}
        super().__init__(**given)  # type: ignore[no-untyped-call]

    async def start_kernel(self, **given: Any) -> str:  # type: ignore[override] # noqa: ANN401 - as Voilà calls it
        """Start a kernel, which is not told the token; return its id."""
        environment = FRUGAL | dict(given.get("env") or {})
        ahead = environment.get(_READY) == "True"
        environment.pop(SECRET, None)
        username = "" if ahead else _placed()
        self._starting[ahead] += 1
        self._starting_for[username] += 1
        try:
            kernel_id: str = await super().start_kernel(**given | {"env": environment})
        finally:
            self._starting[ahead] -= 1
            self._starting_for[username] -= 1
        if ahead:
            self._ahead.add(kernel_id)
        else:
            self._opened_by[kernel_id] = username
        return kernel_id

    def claim(self, kernel_id: str) -> None:
        """Note that the visitor who is being served takes a kernel that waited ready."""
        self._opened_by[kernel_id] = _placed()

    def count_of(self, username: str) -> int:
        """Count the kernels of one browser, those included that are starting."""
        self._opened_by = {kernel: name for kernel, name in self._opened_by.items() if kernel in self}
        return self._starting_for[username] + sum(name == username for name in self._opened_by.values())

    async def end_all_of(self, username: str) -> None:
        """End the kernels of one browser."""
        for kernel_id in [kernel for kernel, name in self._opened_by.items() if name == username and kernel in self]:
            await ensure_async(self.shutdown_kernel(kernel_id, now=True))  # type: ignore[no-untyped-call]

    @property
    def occupied(self) -> int:
        """How many visitors have a kernel, or one that is starting."""
        alive = set(self.list_kernel_ids())
        self._ahead &= alive
        ready, heating = self._waiting()
        of_visitors = len(alive - self._ahead) + self._starting[False]
        return of_visitors + max(0, len(self._ahead) + self._starting[True] - len(ready) - heating)

    def is_waiting(self, kernel_id: str) -> bool:
        """Tell whether a kernel waits for a visitor."""
        return kernel_id in self._waiting()[0]

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody looks at; those that wait for somebody are meant to be idle."""
        if kernel_id in self and not self.is_waiting(kernel_id):
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]

    def _waiting(self) -> tuple[set[str], int]:
        """Return the kernels that wait ready, and how many are still made ready."""
        tasks = [task for pool in getattr(self, "_pools", {}).values() for task in pool]
        done = [task for task in tasks if task.done() and not task.cancelled() and task.exception() is None]
        return {task.result()["kernel_id"] for task in done}, sum(not task.done() for task in tasks)


def _placed() -> str:
    """Count the visitor who is being served by their kernel from here on, no longer by their request; name them."""
    handler = CallContext.get(CallContext.JUPYTER_HANDLER)
    if handler is None:
        return ""
    handler.workbench_placed = True
    return str(getattr(handler, "workbench_user", ""))
