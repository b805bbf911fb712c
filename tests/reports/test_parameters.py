from __future__ import annotations

import pytest

from tests.pipeline.conftest import write_notebook
from workbench.errors import InvalidArgument
from workbench.reports import parameters

DECLARED = (
    "lake = 'data/lake'\nversion = None  # type: int\nshare = 0.5\nsteps = ['a', 'b']\nmonthly = False\nanything = None"
)


@pytest.fixture
def notebook(tmp_path):
    write_notebook(tmp_path / "ask.ipynb", "1", parameters=DECLARED)
    return tmp_path / "ask.ipynb"


def test_what_a_notebook_declares_is_taken(notebook):
    parameters.check(
        notebook, {"lake": "other", "version": 3, "share": 1, "steps": [], "monthly": True, "anything": "x"}
    )
    parameters.check(notebook, {"version": None, "anything": None})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("laek", "x", "ask.ipynb has no parameter 'laek': it has lake, version"),
        ("x = 1; import os #", "x", "has no parameter 'x = 1; import os #'"),
        ("lake", 5, "takes str as lake, not 5"),
        ("lake", None, "takes str as lake, not None"),
        ("version", "3", "takes int or None as version, not '3'"),
        ("version", True, "takes int or None as version, not True"),
        ("monthly", 1, "takes bool as monthly, not 1"),
        ("steps", "a", "takes list as steps, not 'a'"),
    ],
)
def test_what_it_does_not_declare_is_refused_by_name(notebook, name, value, words):
    with pytest.raises(InvalidArgument) as refusal:
        parameters.check(notebook, {name: value})
    assert words in str(refusal.value)


def test_a_notebook_without_parameters_or_with_code_among_them_is_refused(tmp_path):
    write_notebook(tmp_path / "none.ipynb", "1", parameters="")
    write_notebook(tmp_path / "code.ipynb", "1", parameters="home = print('hello')")
    (tmp_path / "text.ipynb").write_text("no notebook")
    for name, words in (("none", "declares no parameters"), ("code", "must be a literal"), ("text", "cannot be read")):
        with pytest.raises(InvalidArgument, match=words):
            parameters.declared(tmp_path / f"{name}.ipynb")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('s = "plan=pro"', ["s"]),
        ('weeks = 8\nurl = "https://x/?a=1&b=2"', ["weeks", "url"]),
        ("weeks = 8  # default = 8", ["weeks"]),
        ('steps = ["utm=a", "paid"]', ["steps"]),
        ('limit = "x >= 3"', ["limit"]),
        ('note = "tag #1"', ["note"]),
        ('steps = [\n    "a",  # first = a\n    "b",\n]', ["steps"]),
        ("x: int = 3", ["x"]),
        ("# a heading = comment\nx = 3", ["x"]),
    ],
)
def test_defaults_and_comments_may_hold_equals_signs_and_hashes(tmp_path, source, names):
    write_notebook(tmp_path / "ask.ipynb", "1", parameters=source)
    assert list(parameters.declared(tmp_path / "ask.ipynb")) == names


@pytest.mark.parametrize(
    ("source", "types"),
    [
        ("x = None  # type: int", (int, type(None))),
        ("x = 'Größe = 3'  # type: str", (str,)),
        ("x: float = 3", (float, int)),
        ("x: int | None = None", (int, type(None))),
        ("x: list[str] = []", (list,)),
        ("x = -1", (int,)),
        ("x = 1  # type: something else", (int,)),
    ],
)
def test_a_type_is_read_from_the_default_the_annotation_or_the_comment(tmp_path, source, types):
    write_notebook(tmp_path / "ask.ipynb", "1", parameters=source)
    assert parameters.declared(tmp_path / "ask.ipynb")["x"] == types


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused(notebook, value):
    with pytest.raises(InvalidArgument, match="takes finite numbers as share, not"):
        parameters.check(notebook, {"share": value})
    with pytest.raises(InvalidArgument, match="takes finite numbers as steps"):
        parameters.check(notebook, {"steps": ["a", {"deep": [value]}]})


def test_a_cell_that_is_no_python_is_named(tmp_path):
    write_notebook(tmp_path / "ask.ipynb", "1", parameters="x = = 3")
    with pytest.raises(InvalidArgument, match="not valid Python"):
        parameters.declared(tmp_path / "ask.ipynb")
