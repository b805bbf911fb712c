from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

ROOT = Path(__file__).parents[1]
HEAVY = (
    "pandas",
    "duckdb",
    "deltalake",
    "sklearn",
    "xgboost",
    "prophet",
    "bqplot",
    "ipywidgets",
    "ploomber",
    "papermill",
)


def test_the_conda_environment_is_in_step_with_the_lock():
    done = subprocess.run(
        [sys.executable, ROOT / ".ci/environment.py", "--check"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, workbench; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_machine_with_one_python_says_that_no_other_is_tried(tmp_path):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "other-python").write_bytes((ROOT / ".ci" / "other-python").read_bytes())
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "dirname").symlink_to(shutil.which("dirname"))
    bare, command = {"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)}, [shutil.which("bash"), ".ci/other-python"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=bare, cwd=tmp_path)
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.stdout.startswith(f"The tests run on Python {own} only: there is no other of 3.11, 3.12 and 3.13")


@pytest.mark.parametrize("name", workbench.__all__)
def test_every_name_of_the_package_is_there(name):
    assert getattr(workbench, name) is not None


def test_a_name_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(AttributeError, match=r"'workbench' has no attribute 'opne'; it has .*open"):
        workbench.opne  # noqa: B018


def test_no_module_is_longer_than_it_may_be():
    lines = {path: len(path.read_text().splitlines()) for path in (ROOT / "src").rglob("*.py")}
    assert {str(path): count for path, count in lines.items() if count > 400} == {}


@pytest.mark.parametrize("folder", ["src", "notebooks", "share", "etc"])
def test_nothing_is_fetched_from_elsewhere(folder):
    words = ("cdn.", "jsdelivr", "unpkg", "googleapis")
    files = [
        path for path in (ROOT / folder).rglob("*") if path.suffix in {".py", ".ipynb", ".html", ".j2", ".css", ".json"}
    ]
    assert [str(path) for path in files if any(word in path.read_text() for word in words)] == []
