"""One report: its notebook executed in a kernel of its own, as pages, as paper, with everything in it pinned."""

from __future__ import annotations

import json
import secrets
from contextlib import chdir, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import nbformat
import papermill
from nbformat.v4 import new_code_cell

from workbench import config
from workbench.bench import open_
from workbench.errors import NotEnoughData, PipelineError, ReportError
from workbench.metrics.coverage import coverage
from workbench.pipeline import stamps
from workbench.pipeline.build import Kernel, explained, quiet
from workbench.reports import catalog, paper, pins
from workbench.reports.index import Page, RunReport, publish
from workbench.reports.pins import Pins
from workbench.reports.render import Facts, figures, fill, mask, render, write
from workbench.store.opening import without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from workbench.config import Settings
    from workbench.reports.catalog import Report

_LAST: Final = "pinned-answers"
"""Tag of the cell that is added at the end; pages leave it out."""

_MOST_OUTPUT: Final = 5 << 20
"""Characters of the outputs of one cell that a page shows."""


@dataclass(frozen=True)
class Made:
    """A report that was made: what it is made from, and the folder of its files."""

    pins: Pins
    folder: Path

    @property
    def page(self) -> Path:
        """The page to open."""
        return self.folder / f"{self.pins.report}.html"


def make(
    name: str,
    values: Mapping[str, object] | None = None,
    *,
    store: str,
    settings: Settings,
    until: date | None = None,
    known_at: datetime | None = None,
    told: Callable[[str], object] = lambda _: None,
) -> Made:
    """Make a report.

    Args:
        name: Of the catalog.
        values: What it is asked for.
        store: Where the events are.
        settings: Where reports go.
        until: End of the data, exclusive; the day up to which the data cover whole days if not given.
        known_at: Nothing that was ingested later counts; the present if not given.
        told: Is given a line for each step.

    Returns:
        The report; its status is `failed` if its notebook did not run through.

    Raises:
        InvalidArgument: There is no such report, or a parameter is not what it takes.
        NotEnoughData: There is no event.
        ReportError: A format cannot be made; the page is there all the same.
    """
    report = catalog.report(name)
    chosen, now = report.values(values or {}), datetime.now(UTC)
    known = known_at or now
    end, data_version = _end(store, settings, known, until)
    report_id = f"{name}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = config.resolved(settings.reports) / report_id
    made = Pins(
        report_id=report_id, report=name, title=report.title, status="succeeded", made_at=now.isoformat(),
        values=chosen, known_at=known.isoformat(), until=str(end), data_version=data_version,
        notebook_hash=pins.notebook_hash(report.path), code_hash=stamps.code(), settings_hash=stamps.settings(),
    )  # fmt: skip
    folder.mkdir(parents=True)
    told(f"{report.title}, data up to {end} as known at {known:%Y-%m-%d %H:%M:%S} UTC")
    detail = _executed(report, made, folder, store)
    made = replace(
        made, status="failed" if detail else "succeeded", detail=config.masked(detail, settings),
        answers=pins.read_kept(folder / pins.ANSWERS),
    )  # fmt: skip
    told("executed" if not detail else f"failed: {made.detail}")
    return _published(report, made, folder, settings, told)


def _end(store: str, settings: Settings, known_at: datetime, until: date | None) -> tuple[date, str]:
    """Return the day up to which is asked, and the version of the events."""
    bench = open_(store, create=False, settings=settings).as_of(known_at)
    try:
        end = coverage(bench.snapshot, settings.timezone).end
        if end is None:
            raise NotEnoughData(f"{without_password(store)} has no events that were known at {known_at:%Y-%m-%d %H:%M}")
        return until or end.astimezone(settings.zone).date(), bench.data_version
    finally:
        with suppress(AttributeError):
            bench.store.close()  # type: ignore[attr-defined] # a frame has nothing to close


def _executed(report: Report, made: Pins, folder: Path, store: str) -> str:
    """Execute the notebook; return what went wrong, or nothing. As far as it came, it is kept."""
    nb = nbformat.read(report.path, as_version=4)  # type: ignore[no-untyped-call]
    keep = (
        "from pathlib import Path as _Path\nfrom workbench.reports.pins import keep as _keep\n"
        f"_ = _keep(dict(globals()), _Path({str(folder / pins.ANSWERS)!r}))"
    )
    last = new_code_cell(keep)  # type: ignore[no-untyped-call]
    last.metadata["tags"] = [_LAST]
    nb.cells.append(last)
    source, result = folder / ".source.ipynb", folder / f"{report.name}.ipynb"
    nbformat.write(nb, source)  # type: ignore[no-untyped-call]
    given = made.values | {"lake": without_password(store), "known_at": made.known_at, "until": made.until}
    try:
        with quiet(), chdir(config.root()), config.store_of_children(store):
            papermill.execute_notebook(
                str(source), str(result), given, progress_bar=False, kernel_manager_class=Kernel,
                shutdown_kernel="immediate", execution_timeout=report.timeout_seconds,
            )  # fmt: skip
    except KeyboardInterrupt:
        Kernel.kill_all()
        raise
    except Exception as error:  # whatever the notebook, the kernel or Papermill raise: the report has failed
        return explained(error)
    finally:
        source.unlink(missing_ok=True)
        _bound(result)
    return ""


def _bound(notebook: Path) -> None:
    """Cut the outputs of cells that wrote far too much, and drop the cell that was added."""
    if not notebook.is_file():
        return
    nb = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    nb.cells = [cell for cell in nb.cells if _LAST not in cell.metadata.get("tags", [])]
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            text = output.get("text")
            if isinstance(text, str) and len(text) > _MOST_OUTPUT:
                half = _MOST_OUTPUT // 2
                output["text"] = f"{text[:half]}\n… {len(text) - 2 * half:,} characters are left out …\n{text[-half:]}"
    nbformat.write(nb, notebook)  # type: ignore[no-untyped-call]


def _published(report: Report, made: Pins, folder: Path, settings: Settings, told: Callable[[str], object]) -> Made:
    """Make the page, and of it the formats that are wanted; what cannot be made is said when all else is done."""
    notebook, page = folder / f"{report.name}.ipynb", folder / f"{report.name}.html"
    facts = Facts(
        run_id=made.report_id, status=made.status, data_version=made.data_version,
        generated_at=datetime.fromisoformat(made.made_at),
    )  # fmt: skip
    files, faults = [page.name], list[str]()
    if notebook.is_file():
        render(notebook, page, facts)
    else:
        write(page, fill("failed.html.j2", {"pins": made}))
    for file in (page, notebook):
        if file.is_file():
            mask(file, settings)
    for wanted, make_ in {"pdf": _pdf, "png": _tiles}.items():
        if wanted in report.formats and made.status == "succeeded":
            try:
                files += make_(report, folder)
                told(f"{wanted} made")
            except ReportError as error:
                faults.append(str(error))
    made = replace(made, files=tuple(files))
    write(folder / pins.FILE, config.masked(json.dumps(asdict(made), indent=1, default=str), settings))
    shown = Page(file=page.name, title=made.title, status=made.status, seconds=_seconds(made))
    publish(
        folder.parent,
        RunReport(
            run_id=made.report_id, status=made.status, started_at=made.made_at, data_version=made.data_version,
            until=made.until, detail=made.detail, pages=(shown,),
        ),
    )  # fmt: skip
    if faults:
        raise ReportError("; ".join(faults))
    return Made(made, folder)


def _pdf(report: Report, folder: Path) -> list[str]:
    return [paper.pdf(folder / f"{report.name}.html", folder / f"{report.name}.pdf").name]


def _tiles(report: Report, folder: Path) -> list[str]:
    """Take a picture of each figure whose cell has the tag of a tile."""
    found = figures(folder / f"{report.name}.ipynb", report.tiles)
    if missing := [tile for tile in report.tiles if tile not in found]:
        raise ReportError(f"{report.notebook} shows no figure in a cell tagged {missing[0]!r}")
    made = []
    for tile, (svg, width, height) in found.items():
        page = folder / f".{tile}.html"
        page.write_text(f'<!DOCTYPE html><body style="margin:0">{svg}', encoding="utf-8")
        try:
            made.append(paper.png(page, folder / f"{report.name}-{tile}.png", width=width, height=height).name)
        finally:
            page.unlink()
    return made


def _seconds(made: Pins) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(made.made_at)) / timedelta(seconds=1)


def again(report_id: str, *, store: str, settings: Settings, told: Callable[[str], object] = lambda _: None) -> Made:
    """Make a report once more from what it pinned: the same question of the same events, as known then.

    Raises:
        InvalidArgument: There is no such report.
        PipelineError: It did not come that far at the time, so that there is nothing to repeat.
    """
    before = Pins.read(pins.find(config.resolved(settings.reports), report_id))
    if not before.until:
        raise PipelineError(f"{before.report_id} was not made from any data")
    return make(
        before.report, before.values, store=store, settings=settings, told=told,
        until=date.fromisoformat(before.until), known_at=datetime.fromisoformat(before.known_at),
    )  # fmt: skip
