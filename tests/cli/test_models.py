"""The commands about models, in a project of their own."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta

import pyarrow as pa
import pytest
from kafka import KafkaConsumer

from tests.models.conftest import END, community
from workbench.cli import main
from workbench.events import EVENT_TABLE
from workbench.store.lake import LakeStore

UNTIL = f"{END:%Y-%m-%d}"
WEEK_BEFORE = f"{END - timedelta(days=7):%Y-%m-%d}"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a lake of 400 people, whose engagement and churn models serve."""
    root = tmp_path_factory.mktemp("project")
    events = community(400).snapshot().query("SELECT * FROM events ORDER BY position")
    table = events.select(EVENT_TABLE.names).cast(EVENT_TABLE)
    table = table.append_column("position", pa.array(range(table.num_rows), pa.int64()))
    LakeStore(root / "data" / "lake").append(table, source="s", start=0, end=table.num_rows, ingested_at=END)
    (root / "workbench.yaml").write_text("ltv_days: 28\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        with pytest.raises(SystemExit):
            main(("models", "train", "engagement", "churn", "--until", UNTIL))
    return root


@pytest.fixture
def run(project, monkeypatch, capsys):
    monkeypatch.chdir(project)

    def asked(*words, code=0):
        with pytest.raises(SystemExit) as stop:
            main(("models", *words))
        said = capsys.readouterr()
        assert code is None or int(stop.value.code or 0) == code, said
        return said.out + said.err

    return asked


def version(run, name="churn"):
    return re.search(rf"\* +{name} +(\d{{8}}-[0-9a-f]{{12}})", run("list"))[1]


def test_what_serves_is_listed_and_shown(run):
    churn = version(run)
    said = run("show", "churn")
    assert churn in said
    assert "verified: " in said
    assert "brier" in said
    assert "the first that can serve" in said


def test_people_are_predicted_and_kept_once(run, project):
    said = run("predict", "--until", WEEK_BEFORE)
    assert "people active in the 28 days before" in said
    assert "recommendations logged" in said
    assert "were logged before" in run("predict", "--until", WEEK_BEFORE)
    assert (project / "data" / "lake" / "predictions").is_dir()


def test_one_person_is_explained(run, project):
    lake = LakeStore(project / "data" / "lake").snapshot()
    last = lake.query("SELECT user_id FROM events ORDER BY occurred_at DESC LIMIT 1")["user_id"].to_pylist()[0]
    said = run("explain", last)
    assert "churn_risk" in said
    assert "moves churn by" in said
    assert "'nobody'" in run("explain", "nobody", code=1)


def test_a_new_training_is_compared_and_can_be_promoted_and_rolled_back(run):
    before = version(run)
    said = run("train", "churn", "--until", WEEK_BEFORE, code=None)  # 1 where it fails a gate
    found = re.search(r"churn (\d{8}-[0-9a-f]{12}) (serves|does not serve)", said)
    assert "trained_until" in run("diff", "churn", before, found[1])
    if found[2] == "does not serve":
        assert f"churn {found[1]} serves" in run("promote", "churn", found[1])
    assert version(run) == found[1]
    assert f"churn {before} serves again" in run("rollback", "churn")
    assert version(run) == before


def test_what_is_not_due_is_not_trained(run, project):
    (project / "workbench.yaml").write_text(
        "ltv_days: 28\ntraining: {engagement: never, churn: never, threshold: 0.01, drift: 99}\n"
    )
    said = run("retrain", "engagement", "churn", "--until", UNTIL)
    assert said.splitlines() == ["engagement: not due", "churn: not due"]


def test_drift_is_shown_by_feature(run):
    said = run("drift", "churn", "--until", WEEK_BEFORE)
    assert "stability index" in said
    assert "(prediction)" in said


def test_too_few_raids_are_said_to_be_too_few(run):
    assert "not enough data" in run("raids", "--until", UNTIL)


def test_before_the_horizon_is_over_nothing_can_be_said_of_an_effect(run):
    run("predict", "--until", WEEK_BEFORE)
    assert "no recommendation was logged" in run("uplift", "--until", UNTIL, code=1)
    said = run("uplift", "--until", UNTIL, "--days", "3")
    assert "acted on" in said
    assert "risk_level" in said


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (("show", "oracle"), "no champion of model 'oracle'"),
        (("show", "../etc"), "is no name of a model"),
        (("show", "churn", "20260101-000000000000"), "cannot read"),
        (("promote", "churn", "latest"), "is no version of a model"),
        (("train", "oracle"), "engagement, churn"),
        (("uplift", "--days", "0"), "--days is at least 1"),
        (("predict", "--until", "yesterday"), "yesterday"),
        (("rollback", "ltv"), "no earlier champion"),
    ],
)
def test_what_cannot_be_done_is_said(run, words, wrong):
    assert wrong in run(*words, code=1)


def test_an_altered_model_is_refused_and_named(run, project):
    home = project / "data" / "models" / "engagement" / version(run, "engagement")
    file = next(file for file in home.iterdir() if file.name.endswith(".skops"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + b"?")
    assert "is not what was published" in run("show", "engagement", code=1)
    file.write_bytes(whole)
    run("show", "engagement")


def test_a_spoilt_alias_is_mended_by_the_command_that_its_error_ends_with(run, project):
    champion, file = version(run), project / "data/models/churn/champion.json"
    file.write_bytes(file.read_bytes()[:-9])
    said = run("show", "churn", code=1)
    command = re.search(r"workbench models (promote .*)$", said.strip())[1]
    assert re.search(r"! +churn .*REFUSED", run("list"))
    run(*command.split())
    assert version(run) == command.split()[-1] == champion
    run("show", "churn")


@pytest.mark.kafka
def test_predictions_are_told_on_the_topic_once_a_person(run, project, broker):
    topic = f"predictions-{uuid.uuid4().hex[:8]}"
    settings = (project / "workbench.yaml").read_text()
    (project / "workbench.yaml").write_text(f"{settings}kafka: {{brokers: '{broker.address}', predictions: {topic}}}\n")
    said = run("predict", "--until", WEEK_BEFORE, "--kafka")
    (project / "workbench.yaml").write_text(settings)
    people = int(re.search(r"([\d,]+) told on the topic", said)[1].replace(",", ""))
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.address, auto_offset_reset="earliest")
    told = [message for _ in range(20) for batch in consumer.poll(500).values() for message in batch]
    consumer.close()
    assert len(told) == people > 100
    assert {message.key.decode() for message in told} == {json.loads(m.value)["user_id"] for m in told}
    assert {json.loads(message.value)["date"] for message in told} == {f"{END - timedelta(days=8):%Y-%m-%d}"}
