"""Notebooks ask, the package answers: what a notebook may contain. That they run is for the pipeline's tests."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
MOST_LINES = 12


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def cells(request):
    return json.loads(request.param.read_text())["cells"]


def code(cells):
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_there_are_notebooks_to_look_at():
    names = {path.stem for path in NOTEBOOKS}
    assert names >= {"ingestion", "cohorts", "funnels", "training", "forecasting"}


def test_a_notebook_is_committed_without_outputs(cells):
    ran = [cell for cell in cells if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"])]
    assert ran == []


def test_a_notebook_begins_with_its_title_and_one_sentence(cells):
    first = "".join(cells[0]["source"])
    assert cells[0]["cell_type"] == "markdown"
    assert first.startswith("# ")
    assert len(first.split("\n", 1)[1].strip()) > 0


def test_the_first_code_cell_is_the_parameters_and_only_literals(cells):
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    assert "parameters" in first["metadata"].get("tags", [])
    for statement in ast.parse("".join(first["source"])).body:
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        ast.literal_eval(statement.value)


def test_a_notebook_defines_nothing(cells):
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While)
    found = [node for source in code(cells) for node in ast.walk(ast.parse(source)) if isinstance(node, defined)]
    assert [ast.unparse(node) for node in found] == []


def test_cells_are_short(cells):
    assert [cell for cell in code(cells) if len(cell.splitlines()) > MOST_LINES] == []


def test_cells_have_ids_of_their_own(cells):
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)


def test_no_path_is_of_one_machine(cells):
    texts = [node for source in code(cells) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    assert [t.value for t in texts if isinstance(t.value, str) and t.value.startswith(("/", "~", "C:\\"))] == []
