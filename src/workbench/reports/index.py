"""The list of all runs: one file of facts beside each run's pages, and `index.html` made from them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from workbench.reports.render import fill, write

if TYPE_CHECKING:
    from pathlib import Path

FACTS: Final = "run.json"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a run: its file beside `run.json`, its title, and how its task went."""

    file: str
    title: str
    status: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What a run left to read.

    Attributes:
        run_id: Also the name of its folder.
        status: `succeeded`, `failed` or `cancelled`.
        started_at: ISO 8601, UTC.
        data_version: Version of the events; empty where none was reached.
        until: End of the data that was asked about, exclusive; empty where it is not known.
        detail: What went wrong; empty where nothing did.
        pages: In the order of the pipeline.
        marks: What was odd about the data, and did not stop the run.
    """

    run_id: str
    status: str
    started_at: str
    data_version: str
    until: str
    detail: str
    pages: tuple[Page, ...]
    marks: str = ""


def publish(reports: Path, run: RunReport) -> Path:
    """Add a run to the list; return the list's file."""
    facts = json.dumps(asdict(run), indent=1)
    write(reports / run.run_id / FACTS, facts)
    write(reports / run.run_id / "index.html", fill("run.html.j2", {"run": run}))
    index = reports / "index.html"
    write(index, fill("runs.html.j2", {"runs": published(reports)}))
    return index


def published(reports: Path) -> list[RunReport]:
    """Return the runs that left something to read, the newest first; a folder without facts is no run."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in reports.glob(f"*/{FACTS}")]
    runs = [RunReport(**{**run, "pages": tuple(Page(**page) for page in run["pages"])}) for run in found]
    return sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True)
