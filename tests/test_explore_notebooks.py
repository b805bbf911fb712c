"""The notebooks that explore run from their first cell to their last, over a community that is small."""

from __future__ import annotations

from pathlib import Path

import papermill
import pytest

import workbench as wb
from workbench.ingest.files import ingest
from workbench.simulate import write

EXPLORE = Path(__file__).parents[1] / "notebooks" / "explore"

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]  # papermill's own


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("community")
    write(folder / "events.parquet", users=120, days=60)
    bench = wb.open(folder / "lake", create=True)
    ingest(bench.store, folder / "events.parquet")
    return folder / "lake"


@pytest.mark.parametrize("notebook", sorted(EXPLORE.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_that_explores_runs_and_shows_an_explorer(notebook, lake, tmp_path):
    parameters = {"lake": str(lake)}
    ran = papermill.execute_notebook(
        notebook, tmp_path / notebook.name, parameters=parameters, cwd=EXPLORE, progress_bar=False
    )
    outputs = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs)
    assert [output for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
