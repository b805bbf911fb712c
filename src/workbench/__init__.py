"""Workbench: ask a question of your community's events once, get the same answer everywhere.

    events → ingest → store → metrics → models → dashboards | reports → pipeline → cli

What a notebook needs is here, and loaded when it is first used:

    bench = wb.open()                        # the lake of this project, or wb.open("path/to/lake")
    bench = wb.from_frame(df, user="uid", event="name", time="ts")
    bench.funnel(["user_joined", "first_message", "wallet_connected"], within="7d").plot()

The rooms: `events` (what an event is), `ingest` (files in), `simulate` (a community to try it on),
`store` (where events live), `metrics` (questions of what happened), `models` (of what will happen),
`charts`, `dashboards`, `reports`, `pipeline`, and `cli`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workbench.bench import Bench, from_frame
    from workbench.bench import open_ as open
    from workbench.config import Settings
    from workbench.errors import WorkbenchError
    from workbench.metrics.changes import explain_change
    from workbench.metrics.dialects import dialects
    from workbench.metrics.segments import people, segment
    from workbench.metrics.steps import Step, step
    from workbench.results import Answer, Definition

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Bench",
    "Definition",
    "Settings",
    "Step",
    "WorkbenchError",
    "__version__",
    "dialects",
    "explain_change",
    "from_frame",
    "open",
    "people",
    "segment",
    "step",
]

_HOMES: Final = {
    "Answer": ("results", "Answer"),
    "Bench": ("bench", "Bench"),
    "Definition": ("results", "Definition"),
    "Settings": ("config", "Settings"),
    "Step": ("metrics.steps", "Step"),
    "WorkbenchError": ("errors", "WorkbenchError"),
    "dialects": ("metrics.dialects", "dialects"),
    "explain_change": ("metrics.changes", "explain_change"),
    "from_frame": ("bench", "from_frame"),
    "open": ("bench", "open_"),
    "people": ("metrics.segments", "people"),
    "segment": ("metrics.segments", "segment"),
    "step": ("metrics.steps", "step"),
}


def load_ipython_extension(shell: object) -> None:
    """Add `%report` to a notebook: `%load_ext workbench`."""
    from workbench.pipeline.lab import magic  # noqa: PLC0415 - loaded when it is asked for

    shell.register_magic_function(magic, magic_name="report")  # type: ignore[attr-defined]


def __getattr__(name: str) -> object:
    """Load a name when it is first asked for: `import workbench` itself loads nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, attribute = _HOMES[name]
    value = getattr(import_module(f"workbench.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
