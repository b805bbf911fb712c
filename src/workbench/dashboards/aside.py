"""Questions that need much memory, such as those of models: asked in a process of their own that ends with them.

The kernel of a visitor stays small: models, Prophet and their libraries are never loaded in it.
"""

from __future__ import annotations

import contextlib
import io
import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.bench import open_
from workbench.errors import WorkbenchError
from workbench.metrics.segments import Segment
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.bench import Bench
    from workbench.config import Settings

T = TypeVar("T")


class AsideError(WorkbenchError):
    """The process ended before it answered."""


def aside(bench: Bench, asks: Callable[..., T], **options: Any) -> T:  # noqa: ANN401 - as `asks` has them
    """Ask something of a bench in a process of its own; here, where the bench asks what another cannot open.

    Args:
        bench: Whom to ask.
        asks: A function of a module, called with the bench and the options; what it returns is pickled.
        options: What else it takes.

    Raises:
        AsideError: The process was ended from outside, such as for want of memory.
        WorkbenchError: As `asks` does.
    """
    place, people = _place(bench), bench.snapshot.people
    if place is None or bench.snapshot.known_at is not None or not isinstance(people, Segment | None):
        return asks(bench, **options)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(_ask, place, bench.settings, people, asks, options).result()
        except BrokenProcessPool as error:
            raise AsideError("the process that asks the models ended by itself: is there memory enough?") from error


def _place(bench: Bench) -> str | None:
    """Where another process opens the same store; `None` where none can."""
    if isinstance(bench.store, LakeStore):
        return str(bench.store.path)
    return bench.settings.store if bench.settings.store.startswith("clickhouse") else None


def _ask(place: str, settings: Settings, people: Segment | None, asks: Callable[..., T], options: dict[str, Any]) -> T:
    logging.getLogger("cmdstanpy").setLevel(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):
        bench = open_(place, create=False, settings=settings)
        return asks(bench.of(people) if people is not None else bench, **options)
