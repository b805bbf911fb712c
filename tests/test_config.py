from __future__ import annotations

import pytest

from workbench import config
from workbench.errors import InvalidSettings


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").write_text("port: 9000\nengagement: {ai: 0.5}\n")
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def test_settings_are_found_from_a_folder_inside_the_project(project):
    assert config.load().port == 9000
    assert config.resolved("data/lake") == project / "data/lake"


def test_an_absolute_path_stays(project):
    assert config.resolved(project) == project


def test_a_variable_wins_over_the_file(project, monkeypatch):
    monkeypatch.setenv("WORKBENCH_PORT", "9001")
    monkeypatch.setenv("WORKBENCH_ENGAGEMENT__RAIDS", "1")
    settings = config.load()
    assert (settings.port, settings.engagement.raids, settings.engagement.ai) == (9001, 1, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot: 1", "prot is no setting .there are store, cluster"),
        ("port: many", "port: Input should be a valid integer"),
        ("retention_days: 0", "retention_days: .* greater than or equal to 1"),
        ("timezone: Mars", "'Mars' is no time zone"),
        ("- port", "holds a list"),
        ("port: [", "cannot read"),
    ],
)
def test_a_wrong_file_is_explained(project, text, message):
    (project / "workbench.yaml").write_text(text)
    with pytest.raises(InvalidSettings, match=message):
        config.load()


def test_an_error_does_not_repeat_a_value_that_may_be_secret(project):
    (project / "workbench.yaml").write_text("password: hunter2")
    with pytest.raises(InvalidSettings) as caught:
        config.load()
    assert "hunter2" not in str(caught.value)


def test_a_file_that_was_named_must_exist(tmp_path):
    with pytest.raises(InvalidSettings, match=r"no settings file .*none\.yaml"):
        config.load(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "kafka: " + "{a: " * 5_000, r'store: "\ud800"', "timezone: 2026-13-45"]
)
def test_a_file_that_no_one_can_read_is_named(tmp_path, text):
    (tmp_path / "workbench.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSettings, match="cannot read"):
        config.load(tmp_path / "workbench.yaml")


@pytest.mark.parametrize("text", ["[" * 100_000, "{"])
def test_a_variable_that_is_not_the_json_it_must_be_is_an_error_of_the_settings(monkeypatch, text):
    monkeypatch.setenv("WORKBENCH_KAFKA", text)
    with pytest.raises(InvalidSettings, match="WORKBENCH_"):
        config.load()


def test_events_begin_at_midnight_of_the_projects_zone():
    rules = config.Settings(timezone="Europe/Berlin", events_since="2010-06-01").time_rules
    assert (rules.zone, rules.since.isoformat()) == ("Europe/Berlin", "2010-05-31T22:00:00+00:00")
