"""In JupyterLab: a form for any report of the catalog, to run it now or to have it run by the clock; and `%report`."""

from __future__ import annotations

import html
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets
import yaml

from workbench import config
from workbench.errors import InvalidArgument, InvalidSettings, WorkbenchError
from workbench.metrics.arguments import zone
from workbench.pipeline.cron import Cron
from workbench.pipeline.jobs import assigned
from workbench.reports import catalog, deliver
from workbench.reports.render import write

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workbench.reports.catalog import Parameter

PATIENCE_SECONDS: Final = 3600


class ReportForm:
    """A form: which report, what it is asked for, *Run now*, and *Schedule* with when and for whom.

    >>> form = ReportForm("weekly_product")
    >>> form.values()["weeks"]
    8
    """

    def __init__(self, name: str | None = None) -> None:
        """Begin with a report of the catalog; the first one if none is named."""
        known = catalog.load()
        first = catalog.report(name).name if name else next(iter(known))
        self.report = widgets.Dropdown(
            options=[(r.title, r.name) for r in known.values()], value=first, description="report"
        )
        self.fields: dict[str, widgets.Widget] = {}
        self.place, self.said = widgets.VBox(), widgets.HTML()
        self.run = widgets.Button(description="Run now", button_style="primary", icon="play")
        self.schedule = widgets.Text(description="schedule", placeholder="30 7 * * 1, or @daily; empty for never")
        self.to = widgets.Text(description="for", placeholder="mailto:ann@example.com, folder:out")
        self.keep = widgets.Button(description="Schedule", icon="clock-o")
        self.report.observe(lambda _: self._show(), "value")
        self.run.on_click(lambda _: self._told(self.run_now))
        self.keep.on_click(lambda _: self._told(self.save))
        buttons = widgets.HBox([self.run, self.keep])
        self.widget = widgets.VBox([self.report, self.place, self.schedule, self.to, buttons, self.said])
        self._show()

    def values(self) -> dict[str, Any]:
        """Return what the fields hold, as the report takes it.

        Raises:
            InvalidArgument: A field holds what its parameter does not take.
        """
        known = catalog.report(self.report.value)
        given = {name: _read(field, known.parameters[name]) for name, field in self.fields.items()}
        return known.values(given)

    def run_now(self) -> str:
        """Make the report in a process of its own; return where it is."""
        return run_now(self.report.value, self.values())

    def save(self) -> str:
        """Write schedule, recipients and parameters into the project's catalog; return what was written where."""
        to = tuple(deliver.check(each.strip()) for each in self.to.value.split(",") if each.strip())
        when = self.schedule.value.strip() or None
        if when is not None:
            Cron.parsed(when, zone(config.load().timezone))
        file = scheduled(self.report.value, schedule=when, to=to, values=self.values())
        return f"{self.report.value}: {when or 'never'}, for {len(to)}; written to {file}"

    def _show(self) -> None:
        known = catalog.report(self.report.value)
        self.fields = {name: _field(name, parameter) for name, parameter in known.parameters.items()}
        self.place.children = tuple(self.fields.values())
        self.schedule.value, self.to.value, self.said.value = known.schedule or "", ", ".join(known.to), ""

    def _told(self, act: Any) -> None:  # noqa: ANN401 - a method without arguments
        self.run.disabled = self.keep.disabled = True
        self.said.value = "<em>at work…</em>"
        try:
            self.said.value = f"<pre>{html.escape(act())}</pre>"
        except WorkbenchError as error:
            self.said.value = f'<pre style="color:#a4262c">{html.escape(str(error))}</pre>'
        finally:
            self.run.disabled = self.keep.disabled = False


def run_now(name: str, values: Mapping[str, object]) -> str:
    """Make a report in a process of its own, so that this kernel neither waits for its memory nor dies of it.

    Raises:
        InvalidArgument: A parameter is not what the report takes.
        WorkbenchError: It failed; with what it said.
    """
    chosen = catalog.report(name).values(values)
    done = subprocess.run(  # noqa: S603 - our own command, its words checked
        [sys.executable, "-m", "workbench", "report", "run", *assigned(chosen), "--", name],
        capture_output=True, text=True, cwd=config.root(), timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    told = config.masked((done.stdout + done.stderr).strip(), config.load())
    if done.returncode:
        raise WorkbenchError(told)
    return told


def scheduled(name: str, *, schedule: str | None, to: tuple[str, ...], values: Mapping[str, object]) -> Path:
    """Write when a report is made, for whom, and with which parameters, into the project's catalog.

    The catalog that comes along becomes the project's own first. What else stands in it is kept, but for comments; a
    file that could not be read again is not written.

    Raises:
        InvalidSettings: The catalog cannot be used.
    """
    file = config.resolved(config.load().catalog)
    told: Any = config.read_yaml(file, otherwise=catalog.shipped())
    catalog.parsed(told, name=str(file))  # what is there must be sound before it is changed
    if name not in told["reports"]:
        raise InvalidSettings(f"{file} has no report {name!r}")
    entry = told["reports"][name]
    entry["to"] = list(to)
    entry["schedule"] = schedule
    for key, value in values.items():
        entry["parameters"][key]["default"] = value
    catalog.parsed(told, name=str(file))
    write(file, yaml.safe_dump(told, sort_keys=False, allow_unicode=True))
    return file


def magic(line: str) -> object:
    """Do what `%report` is given: nothing for the form, a name for its form, a name with `name=value` to run it now."""
    words = shlex.split(line)
    if len(words) < 2:  # noqa: PLR2004 - a name, and something to run it with
        return ReportForm(words[0] if words else None).widget
    pairs = [word.partition("=") for word in words[1:] if word != "now"]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise InvalidArgument(f"%report takes NAME name=value …, or NAME now, not {wrong[0]!r}")
    print(run_now(words[0], {name: yaml.safe_load(value) for name, _, value in pairs}))  # noqa: T201 - to who typed it
    return None


def _field(name: str, parameter: Parameter) -> widgets.Widget:
    style = {"description_width": "initial"}
    if parameter.choices:
        return widgets.Dropdown(options=list(parameter.choices), value=parameter.default, description=name, style=style)
    if parameter.type == "bool":
        return widgets.Checkbox(value=parameter.default, description=name, style=style)
    text = ", ".join(map(str, parameter.default)) if parameter.type == "list" else str(parameter.default)
    return widgets.Text(value=text, description=name, style=style)


def _read(field: widgets.Widget, parameter: Parameter) -> object:
    value = field.value
    if not isinstance(value, str) or parameter.type == "str" or parameter.choices:
        return value
    if parameter.type == "list":
        return [each.strip() for each in value.split(",") if each.strip()]
    return yaml.safe_load(value)
