from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from workbench.bench import Bench
from workbench.config import Settings
from workbench.errors import InvalidArgument
from workbench.events import to_table
from workbench.metrics.changes import explain_change
from workbench.store.lake import LakeStore
from workbench.testing import events_of, store_of

NOW = "2026-01-10"
FIRST = datetime(2026, 1, 9, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def put(lake, journeys, *, at, source):
    table = to_table(events_of(journeys))
    events = table.append_column("position", pa.array(range(table.num_rows), pa.int64()))
    lake.append(events, source=source, start=0, end=table.num_rows, ingested_at=at)


def asked(lake, **options):
    return Bench(lake, Settings()).funnel(["view", "buy"], **({"now": NOW, "within": "1d"} | options))


def causes(change):
    return dict(zip(change.frame["cause"], change.frame["change"], strict=True))


def test_events_that_came_late_are_told_from_another_window(lake):
    put(
        lake,
        {"ann": "view:0 buy:9", "bob": "view:0", "cem": "view:0 buy:3000", "dee": "view:0"},
        at=FIRST,
        source="one",
    )
    old = asked(lake)
    put(lake, {"bob": "buy:30"}, at=FIRST + timedelta(days=1), source="two")
    new = asked(lake, within="3d")
    found = causes(explain_change(old, new))
    assert found == {"code": 0, "removed events": 0, "late events": 0.25, "definition: within": 0.25}
    assert sum(found.values()) == new.conversion_rate - old.conversion_rate == 0.5


def test_repeated_events_change_nothing(lake):
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST, source="one")
    old = asked(lake)
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST + timedelta(days=1), source="two")
    change = explain_change(old, asked(lake))
    assert not change.frame["change"].any()
    assert change.reading() == "The number went from 1 to 1: nothing changed it."


def test_events_that_expired_are_removed_events(lake):
    put(lake, {"ann": "view:0 buy:9", "bob": "view:5000", "cem": "buy:5000"}, at=FIRST, source="one")
    old = asked(lake)
    lake.expire(before=datetime(2026, 1, 7, tzinfo=UTC))
    assert causes(explain_change(old, asked(lake)))["removed events"] == -0.5


def test_later_events_are_time_that_passed(lake):
    put(lake, {"ann": "view:0 buy:9", "bob": "view:0 buy:900"}, at=FIRST, source="one")
    old, new = asked(lake, now="2026-01-05T01:00"), asked(lake)
    assert causes(explain_change(old, new))["time passed"] == 0.5


def test_any_number_of_an_answer_can_be_explained(lake):
    put(lake, {"ann": "view:0 buy:9", "bob": "view:0"}, at=FIRST, source="one")
    old = asked(lake)
    put(lake, {"cem": "view:7"}, at=FIRST + timedelta(days=1), source="two")
    change = explain_change(old, asked(lake), number=lambda answer: float(answer.entered))
    assert (change.old, change.new, causes(change)["late events"]) == (2, 3, 1)
    assert change.chart().marks[0].y == tuple(change.frame["change"])


@pytest.mark.parametrize("question", ["retention", "active_users", "lifecycle", "stickiness"])
def test_every_question_over_people_can_be_explained(question):
    bench = Bench(store_of({"ann": "user_joined:0 view:12000", "bob": "user_joined:0"}), Settings())
    ask = getattr(bench, question)
    change = explain_change(ask(now="2026-01-20"), ask(now="2026-01-27"))
    assert change.frame["change"].sum() == pytest.approx(change.new - change.old, nan_ok=True)


def test_different_questions_are_not_compared():
    bench = Bench(store_of({"ann": "user_joined:0"}), Settings())
    with pytest.raises(InvalidArgument, match="different questions"):
        explain_change(bench.stickiness(), bench.lifecycle())
    with pytest.raises(InvalidArgument, match="cannot be asked again"):
        explain_change(bench.profiles(), bench.profiles())
