from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel

from workbench.cli.app import app
from workbench.config import Settings
from workbench.errors import WorkbenchError

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROSE = README + "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))


def commands(group, path=()):
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))
    if not getattr(group, "commands", None):
        yield " ".join(path)


@pytest.mark.parametrize("command", sorted(commands(typer.main.get_command(app))))
def test_every_command_is_in_the_docs(command):
    assert f"workbench {command}" in PROSE


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme_as_it_is(name):
    field = Settings.model_fields[name]
    default = (
        " ".join(f"{key}={value}" for key, value in dict(field.default).items() if value is not None)
        if isinstance(field.default, BaseModel)
        else field.default
    )
    assert f"| `{name}` | `{default}` | {field.description} |" in README


@pytest.mark.parametrize(
    "notebook", sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").rglob("*.ipynb"))
)
def test_every_notebook_is_in_the_readme(notebook):
    assert f"]({notebook})" in README


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_every_link_leads_somewhere(page):
    folder = (ROOT / page).parent
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text())
    assert [target for target in targets if not (folder / target).exists()] == []


def test_every_error_says_what_it_is_for():
    classes = [WorkbenchError]
    for kind in classes:
        classes.extend(kind.__subclasses__())
    assert [kind.__name__ for kind in classes if not kind.__doc__] == []


def test_the_airflow_example_compiles_and_calls_commands_that_exist():
    text = (ROOT / "docs/examples/airflow_dag.py").read_text()
    compile(text, "airflow_dag.py", "exec")
    called = re.findall(r"workbench ((?:[a-z]+ )+)", text)
    known = set(commands(typer.main.get_command(app)))
    assert {each.strip() for each in called} == {"run", "models retrain", "models predict"}
    assert {each.strip() for each in called} <= known
