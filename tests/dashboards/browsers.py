"""What tests in a real browser share: the browser, the pages, and a community to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

import workbench as wb
from workbench.ingest.files import ingest
from workbench.simulate import write

NOTEBOOKS = Path(__file__).parents[2] / "notebooks" / "dashboards"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPENING = 180_000
"""A page is sent once its notebook has run, of ten explorers at the most: on a busy machine that takes long."""

IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here; `make test` installs it where it can"),
]


def launched(play, *more):
    """Start the browser; `more` are options of its own."""
    return play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *more])


def small(folder):
    """Write a dashboard that opens as fast as a kernel starts; return its folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("6 * 7")])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "main.ipynb")
    return folder


def community(folder, *, users, days, settings=None):
    """Simulate a community into a lake, and open it."""
    write(folder / "events.parquet", users=users, days=days)
    bench = wb.open(folder / "lake", create=True, settings=settings)
    ingest(bench.store, folder / "events.parquet")
    return bench.refresh()
