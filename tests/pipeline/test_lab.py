from __future__ import annotations

import pytest
import yaml

import workbench
from workbench.errors import InvalidArgument, InvalidSettings, WorkbenchError
from workbench.pipeline import lab
from workbench.reports import catalog
from workbench.store.lake import LakeStore


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").touch()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").symlink_to(lab.__file__.replace("src/workbench/pipeline/lab.py", "notebooks"))
    return tmp_path


def test_a_form_has_a_field_for_each_parameter_and_reads_them_as_the_report_takes_them(project):
    form = lab.ReportForm("weekly_product")
    assert form.values() == {
        "weeks": 8, "steps": ["user_joined", "first_message", "raid_joined", "wallet_connected"],
    }  # fmt: skip
    form.fields["weeks"].value, form.fields["steps"].value = "12", "view, buy"
    assert form.values() == {"weeks": 12, "steps": ["view", "buy"]}
    form.report.value = "data_quality"
    assert form.values() == {}


def test_what_a_field_may_not_hold_is_said_in_the_form(project):
    form = lab.ReportForm("weekly_product")
    form.fields["weeks"].value = "200"
    form.run.click()
    assert "weeks must be at most 52" in form.said.value
    assert not form.run.disabled


def test_schedule_writes_the_projects_catalog_and_keeps_what_else_is_in_it(project):
    form = lab.ReportForm("weekly_product")
    form.fields["weeks"].value, form.schedule.value, form.to.value = "4", "@daily", "mailto:ann@example.com, folder:out"
    form.keep.click()
    assert "written to" in form.said.value
    found = catalog.load()
    assert list(found) == ["weekly_product", "monthly_ltv", "data_quality"]
    mine = found["weekly_product"]
    assert (mine.schedule, mine.to) == ("@daily", ("mailto:ann@example.com", "folder:out"))
    assert mine.parameters["weeks"].default == 4
    form.schedule.value = ""
    form.keep.click()
    assert catalog.report("weekly_product").schedule is None


@pytest.mark.parametrize(("schedule", "to"), [("often", ""), ("@daily", "ann"), ("@daily", "mailto:a@b\nBcc: c@d")])
def test_what_cannot_be_scheduled_changes_no_file(project, schedule, to):
    form = lab.ReportForm("weekly_product")
    form.schedule.value, form.to.value = schedule, to
    form.keep.click()
    assert "color" in form.said.value
    assert not (project / "reports.yaml").exists()


def test_a_damaged_catalog_is_not_written_over(project):
    (project / "reports.yaml").write_text("reports: [1]")
    with pytest.raises(InvalidSettings):
        lab.scheduled("weekly_product", schedule=None, to=(), values={})
    assert yaml.safe_load((project / "reports.yaml").read_text()) == {"reports": [1]}


def test_the_magic_shows_a_form_or_runs_and_what_goes_wrong_is_said(project):
    LakeStore(project / "data/lake")
    assert lab.magic("").children
    assert lab.magic("monthly_ltv").children
    with pytest.raises(InvalidArgument, match="no report 'none'"):
        lab.magic("none")
    with pytest.raises(InvalidArgument, match="takes NAME name=value"):
        lab.magic("weekly_product weeks")
    with pytest.raises(WorkbenchError, match="has no events"):
        lab.magic("weekly_product weeks=4")


def test_the_extension_adds_the_magic():
    class Shell:
        def register_magic_function(self, function, magic_name):
            self.known = (function, magic_name)

    shell = Shell()
    workbench.load_ipython_extension(shell)
    assert shell.known == (lab.magic, "report")
