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
