"""One run of the pipeline: what has changed is computed again, pinned to one version of the data, and reported."""

from __future__ import annotations

from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

from workbench import config
from workbench.errors import InvalidArgument, NotEnoughData, PipelineError, UnknownTask
from workbench.metrics.arguments import day, unknown, zone
from workbench.metrics.coverage import coverage
from workbench.pipeline import gates, lock, stamps
from workbench.pipeline.build import Pipeline, defaults
from workbench.pipeline.crew import Crew
from workbench.reports.index import Page, RunReport, publish
from workbench.reports.render import Facts, mask, render
from workbench.store import runs
from workbench.store.opening import is_for_one_process, open_store, without_password

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager

    from workbench.store.base import Place, Snapshot
    from workbench.store.runs import Run, TaskRun


# An event of a broken clock, years ahead, must not move the end of the data.
@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where a run reads and writes. Relative paths are taken from `root`, and said so in the reports.

    Attributes:
        root: The project: `pipeline.yaml`, `env.yaml` and the notebooks.
        lake: The events: the folder of a lake, or the address of a database.
        models: The registry of models.
        products: What tasks leave for each other.
        reports: The pages; one folder a run, and `index.html`.
    """

    root: Path
    lake: str = "data/lake"
    models: str = "data/models"
    products: str = "data/products"
    reports: str = "reports"


def run(  # noqa: PLR0913 - a run names all its options
    folders: Folders,
    *,
    source: str | None = None,
    mapping: str = "native",
    date: str | None = None,
    force: bool = False,
    only: str | None = None,
    values: Mapping[str, object] | None = None,
    timezone: str = "UTC",
    progress: Callable[[Collection[TaskRun]], None] = lambda _: None,
) -> Run:
    """Run the pipeline: ingest the source, then compute what is out of date, and write the reports.

    Args:
        folders: Where to read and write.
        source: The export to ingest, a file or folder; `None` asks the lake as it is.
        mapping: How to read it: the name of a mapping, or a YAML file.
        date: End of the data, exclusive, as 2026-11-23; by default the day of the latest event,
            so that all days that are asked about are complete.
        force: Run every task, changed or not.
        only: Run this task alone, with what it builds on where that is out of date.
        values: What to put over the questions' values in `env.yaml`, by name.
        timezone: Of the days.
        progress: Called with the state of all tasks when one changes, and every second.

    Returns:
        The run, as it stands in the history. `report` is the page to open.

    Raises:
        InvalidArgument: A date, a parameter or the pipeline's notebooks are not what they should be.
        UnknownTask: The pipeline has no task named `only`; the history has no run of it.
        SourceError: There is no such source.
        PipelineError: A task failed, or another run is under way. The good tasks' products stay.
        KeyboardInterrupt: Ctrl-C; the run is in the history as cancelled.
    """
    asked: dict[str, object] = {"source": source, "mapping": mapping, "date": date, "force": force, "only": only}
    asked["values"] = dict(values or {})
    with chdir(folders.root), _alone(Path(folders.products)), config.store_of_children(folders.lake):
        begun = _Run(folders, asked, timezone=timezone, progress=progress)
        return begun.go(force=force, only=only)


def _known(values: dict[str, object], *, taken: Collection[str]) -> dict[str, object]:
    """Refuse a value that no question has, or that the run itself sets."""
    allowed = sorted(set(defaults()) - set(taken))
    for name in values:
        if name not in allowed:
            raise InvalidArgument(f"no value {name!r} can be set: there are {', '.join(allowed)}")
    return values


class _Run:
    def __init__(
        self,
        folders: Folders,
        asked: dict[str, object],
        *,
        timezone: str,
        progress: Callable[[Collection[TaskRun]], None],
    ) -> None:
        source, date = asked["source"], asked["date"]
        self.until = None if date is None else day(date)
        self.folders, self.timezone, self.progress = folders, timezone, progress
        self.products = Path(folders.products)
        self.made_by = {"code": stamps.code(), "settings": stamps.settings()}
        self.source = stamps.source(None if source is None else Path(str(source)))
        mapping = Path(str(asked["mapping"]))
        self.mapping = stamps.source(mapping) if mapping.suffix in {".yaml", ".yml"} else str(mapping)
        places = {"lake": without_password(folders.lake), "models": folders.models, "products": folders.products}
        self.values = {**places, "source": source, "mapping": asked["mapping"], "version": None, "until": None}
        self.values |= _known(cast("dict[str, object]", asked["values"]), taken=self.values)
        self.pipeline = Pipeline(self.values)
        if asked["only"] is not None and asked["only"] not in self.pipeline.names:
            raise UnknownTask(f"the pipeline has no task {unknown(str(asked['only']), self.pipeline.names)}")
        with self._store(create=source is not None) as store:
            self.control = store.control
        self.data_version: str | None = None
        self.marks = ""
        runs.end_abandoned(self.control)
        self.run_id = runs.begin(self.control, asked)

    def go(self, *, force: bool, only: str | None) -> Run:
        crew = Crew(
            self.pipeline.names,
            reason=lambda pipeline, name: "forced" if force else self._reason(pipeline, name, crew),
            begun=lambda name: stamps.remove(self.products, name),
            ended=self._ended,
            tick=self.progress,
            most=1 if is_for_one_process(self.folders.lake) else None,
        )
        try:
            self._work(crew, self.pipeline.names if only is None else self.pipeline.lineage(only))
        except KeyboardInterrupt:
            self._end(crew, "cancelled", "interrupted by Ctrl-C")
            raise
        except Exception as error:
            self._end(crew, "failed", str(error))
            raise
        complaint = self._complaint(crew.states.values())
        odd = f"odd, and gone on: {self.marks}" if self.marks else ""
        report = self._end(crew, "failed" if complaint else "succeeded", "; ".join(filter(None, [complaint, odd])))
        if complaint:
            raise PipelineError(complaint)
        return replace(runs.show(self.control, self.run_id), report=report)

    def _end(self, crew: Crew, status: str, detail: str) -> Path:
        """Write the reports and the last word of the history; return the page to open."""
        try:
            report = self._report(crew.states.values(), status, detail)
        except BaseException as error:
            status, detail = "failed", f"the reports could not be written: {error}"
            raise
        finally:
            runs.end(self.control, self.run_id, status=status, data_version=self.data_version, detail=detail)
        return report

    def _work(self, crew: Crew, wanted: Collection[str]) -> None:
        """Build the tasks that read from outside; pin what they left; then build the others on that."""
        roots = [name for name in wanted if not self.pipeline.upstream(name)]
        crew.work(self.pipeline, roots)
        with self._store() as store:
            snapshot = store.snapshot()
            self.data_version = snapshot.data_version
            good = not any(crew.states[name].status == "failed" for name in roots)
            if good:
                is_today = self.until is None and self.values["source"] is None  # an export may be an old one
                self.until = self.until or self._last_day(snapshot)
                self.marks = gates.passed(snapshot, config.load(), until=self.until, is_today=is_today)
        if good:
            self.values |= {"version": snapshot.version, "until": str(self.until)}
            self.pipeline = Pipeline(self.values)
        crew.work(self.pipeline, [name for name in wanted if name not in roots])

    @contextmanager
    def _store(self, *, create: bool = False) -> Iterator[Place]:
        """Open the store for a moment: one in this process keeps the kernels out for so long."""
        store = open_store(self.folders.lake, config.load(), create=create)
        try:
            yield store
        finally:
            store.close()

    def _last_day(self, snapshot: Snapshot) -> date:
        end = coverage(snapshot, self.timezone).end
        if end is None:
            name = without_password(self.folders.lake)
            raise NotEnoughData(f"{name} has no events: name an export with `workbench run --source FILE`")
        return end.astimezone(zone(self.timezone)).date()

    def _reason(self, pipeline: Pipeline, name: str, crew: Crew) -> str:
        """Say why a task is out of date; empty if it is not."""
        if any(crew.states[task].status == "succeeded" for task in pipeline.upstream(name)):
            return "what it builds on is new"
        changed = stamps.difference(stamps.read(self.products, name), self._stamp(name))
        return changed or ("" if pipeline.is_current(name) else "its notebook, parameters or upstream changed")

    def _stamp(self, name: str) -> dict[str, str]:
        """Return what a task is made from; those that read from outside depend on source and lake themselves."""
        if self.pipeline.upstream(name):
            return self.made_by
        with self._store() as store:
            return {**self.made_by, "source": self.source, "lake": store.snapshot().data_version}

    def _ended(self, task: TaskRun) -> None:
        if task.status == "succeeded":
            stamps.write(self.products, task.task, self._stamp(task.task))
        elif task.status == "failed":
            self._keep_partial(task.task)
        runs.record(self.control, self.run_id, task)

    def _keep_partial(self, name: str) -> None:
        """Put what a failed notebook came to with the reports, so that it is not taken for a product."""
        notebook, kept = self.pipeline.notebook(name), self._partial(name)
        if notebook.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            notebook.replace(kept)

    def _partial(self, name: str) -> Path:
        return Path(self.folders.reports, self.run_id, f"{name}.partial.ipynb")

    def _complaint(self, tasks: Collection[TaskRun]) -> str:
        failed = [task for task in tasks if task.status == "failed"]
        lost = [task.task for task in tasks if task.status == "not run"]
        said = [
            f"{task.task}: {task.detail} (the notebook as far as it came: {self._partial(task.task)})"
            for task in failed
        ]
        return "; ".join(said + ([f"not run because of that: {', '.join(lost)}"] if lost else []))

    def _report(self, tasks: Collection[TaskRun], status: str, detail: str) -> Path:
        """Write the pages of a run that computed something; return the page to open."""
        reports = Path(self.folders.reports)
        index = self.folders.root / reports / "index.html"
        if not any(task.status in {"succeeded", "failed"} for task in tasks):
            return index
        # A task that was left out has products too, but of another version of the data.
        reached = [task for task in tasks if task.status in {"succeeded", "skipped", "failed"}]
        pages = tuple(self._page(task) for task in reached if self._shown(task).exists())
        started = runs.show(self.control, self.run_id).started_at
        report = RunReport(
            run_id=self.run_id, status=status, started_at=started.isoformat(), detail=detail, pages=pages,
            data_version=self.data_version or "", until=str(self.until or ""), marks=self.marks,
        )  # fmt: skip
        publish(reports, report)
        return index.parent / self.run_id / "index.html"

    def _page(self, task: TaskRun) -> Page:
        notebook = self._shown(task)
        facts = Facts(
            run_id=self.run_id, status=task.status if task.status == "failed" else "succeeded",
            data_version=self.data_version or "unknown",
            generated_at=datetime.fromtimestamp(notebook.stat().st_mtime, UTC),
        )  # fmt: skip
        file = f"{task.task}.html"
        page = Path(self.folders.reports, self.run_id, file)
        title, settings = render(notebook, page, facts), config.load()
        for shown in (page, notebook):
            mask(shown, settings)
        return Page(file=file, title=title, status=task.status, seconds=task.seconds)

    def _shown(self, task: TaskRun) -> Path:
        return self._partial(task.task) if task.status == "failed" else self.pipeline.notebook(task.task)


def _alone(products: Path) -> AbstractContextManager[None]:
    """Keep two runs from building the same products at once."""
    why_not = f"another run is building {products.absolute()}: wait until it has ended"
    return lock.held(products / ".lock", why_not=why_not)
