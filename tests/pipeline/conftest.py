"""A small project of three notebooks: one ingests, two build on it. It is built once and copied for each test."""

from __future__ import annotations

import json
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.pipeline import stamps
from workbench.pipeline.run import Folders, run

INGEST = (
    "from workbench.ingest.files import ingest; from workbench.store.lake import LakeStore",
    "if source: print(ingest(LakeStore(lake), source, mapping=mapping).reading())",
    "open(product['data'], 'w').write('days')",
)
ASK = ("open(product['data'], 'w').write(str(version))", "(version, until)")
_FIRST = "upstream = None\nproduct = None\nlake = ''\nsource = None  # type: str\nmapping = 'native'"
_THEN = "upstream = None\nproduct = None\nversion = None  # type: int\nuntil = None  # type: str"
_TASK = """
  - source: notebooks/{name}.ipynb
    {upstream}
    product: {{nb: "{{{{products}}}}/{name}.ipynb", data: "{{{{products}}}}/{name}.txt"}}
    params: {params}
"""


def write_notebook(path, *cells, parameters=_THEN):
    nb = new_notebook(metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}})
    nb.cells = [new_markdown_cell(f"# {path.stem.title()}\nA test."), new_code_cell(parameters)]
    nb.cells[1].metadata["tags"] = ["parameters"]
    nb.cells += [new_code_cell(cell) for cell in cells]
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nb, path)


def write_events(path, *people):
    rows = [
        {"event_id": f"{person}{day}", "event_type": "user_joined", "user_id": person, "occurred_at": f"2026-01-0{day}"}
        for person in people
        for day in (1, 2, 3)
    ]
    path.write_text(
        "".join(json.dumps(row | {"occurred_at": row["occurred_at"] + "T12:00:00Z"}) + "\n" for row in rows)
    )


def tasks_of(done):
    print({task.task: f"{task.status}: {task.detail}" for task in done.tasks})  # noqa: T201 - seen where a test fails
    return {task.task: task.status for task in done.tasks}


@pytest.fixture(scope="session", autouse=True)
def same_package():
    """Let nothing run again because somebody edits the package meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stamps, "code", lambda: "the package")
        yield


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    write_notebook(root / "notebooks/ingestion.ipynb", *INGEST, parameters=_FIRST)
    write_notebook(root / "notebooks/cohorts.ipynb", *ASK)
    write_notebook(root / "notebooks/funnels.ipynb", *ASK)
    then = {"upstream": "upstream: ingestion", "params": '{version: "{{version}}", until: "{{until}}"}'}
    first = {"upstream": "", "params": '{lake: "{{lake}}", source: "{{source}}", mapping: "{{mapping}}"}'}
    tasks = [
        _TASK.format(name=name, **(first if name == "ingestion" else then))
        for name in ("ingestion", "cohorts", "funnels")
    ]
    (root / "pipeline.yaml").write_text("meta: {extract_upstream: false}\ntasks:" + "".join(tasks))
    (root / "env.yaml").write_text(
        "{lake: null, source: null, mapping: null, products: null, version: null, until: null}"
    )
    write_events(root / "events.jsonl", "ann", "ben")
    return root, run(Folders(root=root), source="events.jsonl")


@pytest.fixture
def project(built, tmp_path):
    root = tmp_path / "project"
    shutil.copytree(built[0], root)
    return Folders(root=root)


@pytest.fixture
def again(project):
    return lambda **options: run(project, **{"source": "events.jsonl", **options})
