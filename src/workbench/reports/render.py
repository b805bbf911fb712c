"""An executed notebook becomes one page of HTML that needs nothing else: no script, no font, no link to a server."""

from __future__ import annotations

import ast
import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import nbformat
from jinja2 import Environment, FileSystemLoader
from jupyter_core.paths import jupyter_path
from nbconvert import HTMLExporter
from traitlets.config import Config

from workbench import config
from workbench.errors import InvalidArgument, WorkbenchError
from workbench.reports.parameters import assignment
from workbench.reports.sanitize import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from workbench.config import Settings

TEMPLATE: Final = "workbench"
_CHECKOUT: Final = Path(__file__).parents[3] / "share/jupyter/nbconvert/templates"
"""Where the template lies in a checkout; an installed Workbench has it among Jupyter's data files."""

_SHOWN: Final = ["image/svg+xml", "image/png", "image/jpeg", "text/html", "text/markdown", "text/plain"]
"""What of an output is shown, the best first. A live figure carries its picture; scripts and widgets do not show."""

_WIDGET: Final = "application/vnd.jupyter.widget-view+json"
_SIZE: Final = re.compile(r'<svg[^>]*viewBox="0 0 (?P<width>[0-9.]+) (?P<height>[0-9.]+)"')
_INJECTED: Final = ("upstream", "product")
_PLUMBING: Final = "papermill-error-cell-tag"
"""Papermill's own note about an error, which the page says better."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the head of a page says about it.

    Attributes:
        run_id: The run that executed the notebook.
        status: `succeeded`, or `failed` for a partial notebook.
        data_version: Version of the events that it was computed from.
        generated_at: When it was executed, with a time zone.
    """

    run_id: str
    status: str
    data_version: str
    generated_at: datetime


def render(notebook: Path, page: Path, facts: Facts) -> str:
    """Write the page of an executed notebook; the folder is made, and the file replaced in one step.

    Args:
        notebook: The executed notebook; its code is left out, its outputs are shown.
        page: The HTML file to write.
        facts: For the head of the page; the parameters are taken from the notebook.

    Returns:
        The title of the page.

    Raises:
        InvalidArgument: The file is no notebook.
    """
    try:
        nb = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise InvalidArgument(f"{notebook} is no notebook: {error}") from error
    _leave_out(nb)
    title, lede = _take_heading(nb, notebook.stem)
    head = {"title": title, "lede": lede, "facts": facts, "parameters": parameters(nb)}
    body, _ = _exporter().from_notebook_node(nb, resources={"page": head})
    write(page, body)
    return title


def parameters(nb: Any) -> dict[str, object]:  # noqa: ANN401 - a NotebookNode
    """Return what an executed notebook ran with: its defaults, and over them what was injected."""
    found: dict[str, object] = {}
    for tag in ("parameters", "injected-parameters"):
        for cell in nb.cells:
            if tag in cell.metadata.get("tags", []):
                found |= _assignments(cell.source)
    return {name: value for name, value in found.items() if name not in _INJECTED}


def figures(notebook: Path, tags: Sequence[str]) -> dict[str, tuple[str, int, int]]:
    """Return the figure of each tagged cell of an executed notebook: its SVG, and how wide and high it is."""
    nb = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    found = {}
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            svg = output.get("data", {}).get("image/svg+xml")
            size = _SIZE.search(svg or "")
            for tag in cell.metadata.get("tags", []):
                if tag in tags and svg and size:
                    found[tag] = (svg, round(float(size["width"])), round(float(size["height"])))
    return found


def write(page: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    page.parent.mkdir(parents=True, exist_ok=True)
    partial = page.with_name(f".{page.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(page)


def mask(file: Path, settings: Settings) -> None:
    """Take secrets out of a file of text that nobody writes any more."""
    text = file.read_text(encoding="utf-8", errors="replace")
    clean = config.masked(text, settings)
    if clean != text:
        write(file, clean)


def fill(template: str, values: Mapping[str, object]) -> str:
    """Fill a template of this house; every value is escaped."""
    loader = FileSystemLoader([str(folder / TEMPLATE) for folder in _folders()])
    return Environment(loader=loader, autoescape=True).get_template(template).render(**values)


def _take_heading(nb: Any, default: str) -> tuple[str, str]:  # noqa: ANN401
    """Take the title and the sentence under it out of the first cell, for the head of the page."""
    first = nb.cells[0] if nb.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        return default, ""
    title, _, lede = first.source.removeprefix("# ").partition("\n")
    nb.cells = nb.cells[1:]
    return title.strip(), lede.strip()


def _leave_out(nb: Any) -> None:  # noqa: ANN401
    """Drop what a page has no use for: progress bars and other bare widgets, scripts, Papermill's notes."""
    nb.cells = [cell for cell in nb.cells if _PLUMBING not in cell.metadata.get("tags", [])]
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _shows(output.get("data"))]


def _shows(data: Mapping[str, object] | None) -> bool:
    """Tell whether an output shows without a kernel; text and errors, which have no data, do."""
    if data is None:
        return True
    best = next((kind for kind in _SHOWN if kind in data), None)
    return best is not None and not (best == "text/plain" and _WIDGET in data)


def _assignments(source: str) -> dict[str, object]:
    pairs = [pair for statement in ast.parse(source).body for pair in assignment(statement)]
    return {name: None if value is None else ast.literal_eval(value) for name, value in pairs}


@cache
def _exporter() -> HTMLExporter:
    chosen = Config()
    chosen.NbConvertBase.display_data_priority = _SHOWN
    folders = [str(folder) for folder in _folders()]
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        config=chosen, template_name=TEMPLATE, extra_template_basedirs=folders, exclude_input=True,
        exclude_anchor_links=True,
    )  # fmt: skip
    exporter.register_filter("harmless", clean)  # type: ignore[no-untyped-call]
    return exporter


@cache
def _folders() -> tuple[Path, ...]:
    """Return where templates are: the checkout's own before any installed copy, which may be older."""
    places = [_CHECKOUT, Path(sys.prefix) / "share/jupyter/nbconvert/templates"]
    places += [Path(folder) for folder in jupyter_path("nbconvert", "templates")]
    found = tuple(dict.fromkeys(place for place in places if (place / TEMPLATE).is_dir()))
    if not found:
        raise WorkbenchError(
            f"the report template {TEMPLATE!r} is not installed; looked in {', '.join(map(str, places))}"
        )
    return found
