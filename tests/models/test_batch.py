import json
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.models.conftest import END, community
from workbench.events import EVENT_TABLE
from workbench.models.batch import PREDICTIONS, RECOMMENDATIONS, keep
from workbench.models.lessons import LESSONS
from workbench.models.policy import policy
from workbench.models.score import predictions
from workbench.store import daily
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.lake import LakeStore

DAY = (END - timedelta(days=1)).date()


class Wire:
    """A topic that remembers."""

    def __init__(self):
        self.sent, self.flushed = [], 0

    def send(self, value, key=None):
        self.sent.append((key, json.loads(value)))

    def flush(self):
        self.flushed += 1


@pytest.fixture(params=["lake", "chdb"])
def store(request, tmp_path):
    events = community(400).snapshot().query("SELECT * FROM events ORDER BY position")
    table = events.select(EVENT_TABLE.names).cast(EVENT_TABLE)
    table = table.append_column("position", pa.array(range(table.num_rows), pa.int64()))
    place = tmp_path / request.param
    opened = LakeStore(place) if request.param == "lake" else ClickHouseStore(f"chdb://{place}")
    opened.append(table, source="s", start=0, end=table.num_rows, ingested_at=END)
    yield opened
    if request.param == "chdb":
        opened.close()


@pytest.fixture
def answer(store, trained):
    return predictions(store.snapshot(), trained[1], END)


def test_everybody_is_kept_with_intervals_and_versions(store, answer, trained):
    done = keep(store, answer)
    kept = daily.read(store, PREDICTIONS, day=DAY).to_pandas().sort_values("user_id").set_index("user_id")
    said = answer.everybody.set_index("user_id").sort_index()
    assert done.people == len(kept) == len(said) > len(answer.frame)
    for name in ("engagement_score", "engagement_low", "churn_risk", "predicted_ltv", "ltv_low", "ltv_high"):
        assert kept[name].to_numpy(dtype=float) == pytest.approx(said[name].to_numpy(dtype=float), nan_ok=True)
    active = kept.loc[answer.frame["user_id"]]
    assert (active["engagement_low"] <= active["engagement_high"]).all()
    for name in LESSONS:
        assert set(active[f"{name}_version"]) == {trained[0].versions[name]}
    assert set(kept["cutoff"]) == {END.isoformat()}
    assert set(kept["data_version"]) == {answer.data_version}
    assert str(done).startswith(f"predictions of {DAY}: {len(said):,} people")


def test_a_date_that_is_predicted_again_is_there_once_and_was_recommended_once(store, answer, trained):
    first = keep(store, answer)
    recommended = daily.read(store, RECOMMENDATIONS, day=DAY).to_pandas()
    other = policy().model_copy(update={"name": "other", "holdout": 0.5})
    second = keep(store, predictions(store.snapshot(), trained[1], END, rules=other))
    assert (first.logged, second.logged) == (True, False)
    assert daily.read(store, PREDICTIONS).num_rows == first.people
    assert set(daily.read(store, PREDICTIONS)["policy"].to_pylist()) == {other.version}
    again = daily.read(store, RECOMMENDATIONS, day=DAY).to_pandas()
    ordered = [frame.sort_values("user_id").reset_index(drop=True)[sorted(frame)] for frame in (recommended, again)]
    pd.testing.assert_frame_equal(*ordered)


def test_what_is_logged_is_who_is_acted_on_and_who_is_held_out_with_propensities(store, answer):
    keep(store, answer)
    log = daily.read(store, RECOMMENDATIONS, day=DAY).to_pandas()
    said = answer.everybody.set_index("user_id")
    acted = said[(said["recommended_action"] != "none") | said["held_out"].astype(bool)]
    assert sorted(log["user_id"]) == sorted(acted.index)
    drawn = log.set_index("user_id")["propensity"].reindex(acted.index)
    assert drawn.to_numpy() == pytest.approx(acted["propensity"].to_numpy(dtype=float))
    assert set(log["policy"]) == {policy().version}


def test_another_date_stands_beside_the_first(store, answer, trained):
    keep(store, answer)
    week = END - timedelta(days=7)
    keep(store, predictions(store.snapshot(), trained[1], week))
    assert daily.days(store, PREDICTIONS) == [DAY - timedelta(days=7), DAY]


def test_each_person_is_told_on_the_topic_once_without_what_is_not_known(store, answer):
    wire = Wire()
    done = keep(store, answer, outlet=wire)
    assert done.told == len(wire.sent) == done.people
    assert wire.flushed == 1
    assert {key.decode() for key, _ in wire.sent} == set(answer.everybody["user_id"])
    by_person = {told["user_id"]: told for _, told in wire.sent}
    risks = answer.frame.set_index("user_id")["churn_risk"]
    assert [by_person[user]["churn_risk"] for user in risks.index] == pytest.approx(risks.to_list())
    lapsed = set(by_person) - set(risks.index)
    assert lapsed
    assert all("churn_risk" not in by_person[user] and by_person[user]["date"] == str(DAY) for user in lapsed)
    assert not any(
        value is None or (isinstance(value, float) and np.isnan(value)) for _, t in wire.sent for value in t.values()
    )
