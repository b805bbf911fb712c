from __future__ import annotations

import os

import pytest

from workbench.errors import InvalidArgument, PipelineError
from workbench.pipeline.build import Pipeline

VALUES = {"lake": "data/lake", "source": "12", "mapping": "native", "products": "data/products"}


@pytest.fixture
def here(project, monkeypatch):
    monkeypatch.chdir(project.root)
    return project.root


def test_importing_the_engine_reports_to_nobody():
    assert os.environ["PLOOMBER_STATS_ENABLED"] == "false"


def test_a_task_knows_what_it_builds_on(here):
    pipeline = Pipeline(VALUES)
    assert pipeline.names == ("ingestion", "cohorts", "funnels")
    assert pipeline.lineage("cohorts") == {"ingestion", "cohorts"}
    assert pipeline.source("cohorts") == here / "notebooks/cohorts.ipynb"


def test_a_text_that_looks_like_a_number_stays_a_text(here):
    pipeline = Pipeline(VALUES)
    assert pipeline._dag["ingestion"].params["source"] == "12"


def test_a_parameter_that_the_notebook_does_not_declare_is_refused_before_anything_runs(here):
    spec = here / "pipeline.yaml"
    spec.write_text(spec.read_text().replace("{version:", "{evil: 1, version:"))
    with pytest.raises(InvalidArgument, match=r"cohorts\.ipynb has no parameter 'evil'"):
        Pipeline(VALUES)


@pytest.mark.parametrize(
    ("content", "words"),
    [("tasks: [", "cannot be read"), ("[]", "holds a list"), ("tasks: []\nevil: 1", "cannot be used")],
)
def test_a_pipeline_that_says_nothing_is_refused(here, content, words):
    (here / "pipeline.yaml").write_text(content)
    with pytest.raises(PipelineError, match=words):
        Pipeline(VALUES)
