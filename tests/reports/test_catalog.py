from __future__ import annotations

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook

from workbench.errors import InvalidArgument, InvalidSettings
from workbench.reports import catalog

PARAMETERS = "lake = 'data/lake'\nknown_at = None  # type: str\nuntil = None  # type: str\nweeks = 8\nby = 'week'"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(project, cell=PARAMETERS, tags=("parameters",), **more):
    nb = new_notebook(cells=[new_code_cell(cell, metadata={"tags": list(tags)})])
    nb.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(nb, project / "mine.ipynb")
    entry = {
        "title": "Mine", "notebook": "mine.ipynb",
        "parameters": {
            "weeks": {"type": "int", "default": 8, "min": 2, "max": 52},
            "by": {"type": "str", "default": "week", "choices": ["week", "month"]},
        },
    }  # fmt: skip
    (project / "reports.yaml").write_text(yaml.safe_dump({"reports": {"mine": {**entry, **more}}}))
    return project / "reports.yaml"


def test_the_reports_that_come_along_have_notebooks_that_take_their_parameters():
    for report in catalog.load().values():
        assert report.values({}) == {name: each.default for name, each in report.parameters.items()}


def test_what_is_given_goes_over_the_defaults(project):
    write(project)
    assert catalog.report("mine").values({"weeks": 4}) == {"weeks": 4, "by": "week"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"week": 1}, "no parameter 'week'.*weeks"),
        ({"weeks": "8"}, "weeks must be of type int, not '8'"),
        ({"weeks": True}, "weeks must be of type int, not True"),
        ({"weeks": 1}, "weeks must be at least 2"),
        ({"weeks": 53}, "weeks must be at most 52"),
        ({"by": "day"}, "by must be one of 'week', 'month', not 'day'"),
        ({"x = 1\nimport os": 1}, "no parameter"),
        ({"__class__": 1}, "no parameter"),
        ({"lake": "/etc"}, "no parameter 'lake'"),
    ],
)
def test_what_may_not_be_asked_is_refused(project, values, named):
    write(project)
    with pytest.raises(InvalidArgument, match=f"(?s){named}"):
        catalog.report("mine").values(values)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_refused_as_value_and_as_default(project, number):
    share = {"type": "float", "default": 0.5, "min": 0, "max": 1}
    write(project, cell=f"{PARAMETERS}\nshare = 0.5", parameters={"share": share})
    with pytest.raises(InvalidArgument, match="share must be a finite number"):
        catalog.report("mine").values({"share": number})
    write(project, parameters={"share": share | {"default": number}})
    with pytest.raises(InvalidSettings, match="the default must be a finite number"):
        catalog.load()


def test_a_notebook_that_does_not_take_what_the_catalog_says_is_refused(project):
    write(project, cell=PARAMETERS.replace("weeks = 8\n", ""))
    with pytest.raises(InvalidArgument, match="has no parameter 'weeks'"):
        catalog.report("mine").values({})
    write(project, cell="lake = 'x'\nweeks = 8\nby = 'week'")
    with pytest.raises(InvalidArgument, match="must declare known_at, until"):
        catalog.report("mine").values({})
    write(project, tags=())
    with pytest.raises(InvalidArgument, match="declares no parameters"):
        catalog.report("mine").values({})


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"notebook": "../mine.ipynb"}, "inside of the project"),
        ({"notebook": "/etc/passwd.ipynb"}, "inside of the project"),
        ({"notebook": "mine.py"}, "inside of the project"),
        ({"to": ["ann"]}, "'ann' is no address"),
        ({"formats": ["docx"]}, "formats.0"),
        ({"colour": "red"}, "colour is not known"),
        ({"parameters": {"weeks": {"type": "int", "default": "8"}}}, "the default must be of type int"),
        ({"parameters": {"until": {"type": "str", "default": "x"}}}, "'until' is given to every report"),
        ({"parameters": {"a b": {"type": "str", "default": "x"}}}, "parameters"),
        ({"title": ""}, "title"),
    ],
)
def test_what_a_catalog_cannot_say_is_named(project, more, named):
    write(project, **more)
    with pytest.raises(InvalidSettings, match=named):
        catalog.load()


def test_a_file_that_is_no_catalog_is_named(project):
    for text in ("[1]", "reports: [1]", "reports: {}\nmore: 1", "a: b: c", "reports: {mine: 3}"):
        (project / "reports.yaml").write_text(text)
        with pytest.raises(InvalidSettings, match=r"reports\.yaml"):
            catalog.load()
    with pytest.raises(InvalidSettings, match="no catalog"):
        catalog.load(project / "none.yaml")


def test_a_report_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(InvalidArgument, match=r"no report 'weekly'.*weekly_product"):
        catalog.report("weekly")
