from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.bench import Bench
from workbench.config import Settings
from workbench.errors import InvalidArgument
from workbench.events import to_table
from workbench.metrics.changes import explain_change
from workbench.metrics.segments import segment
from workbench.metrics.steps import step
from workbench.store.lake import LakeStore
from workbench.store.memory import MemoryStore
from workbench.testing import events_of, store_of, stored

NOW = "2026-01-10"
FIRST = datetime(2026, 1, 9, tzinfo=UTC)
PRO = step("buy", where={"plan": "pro"})


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def put(lake, journeys, *, at, source, plan=None):
    table = to_table(events_of(journeys, properties={"plan": plan} if plan else None))
    events = table.append_column("position", pa.array(range(table.num_rows), pa.int64()))
    lake.append(events, source=source, start=0, end=table.num_rows, ingested_at=at)


def asked(lake, buy="buy", **options):
    return Bench(lake, Settings()).funnel(["view", buy], **({"now": NOW, "within": "1d"} | options))


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
    assert found == {
        "code": 0,
        "removed events": 0,
        "duplicates": 0,
        "late events": 0.25,
        "definition: within": 0.25,
    }
    assert sum(found.values()) == new.conversion_rate - old.conversion_rate == 0.5


def about(change):
    return dict(zip(change.frame["cause"], change.frame["events"], strict=True))


def test_events_that_came_again_change_nothing_and_are_counted(lake):
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST, source="one")
    old = asked(lake)
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST + timedelta(days=1), source="two")
    change = explain_change(old, asked(lake))
    assert not change.frame["change"].any()
    assert about(change)["duplicates"] == 2
    assert change.reading() == (
        "The number went from 1 to 1: nothing changed it. 2 repeated events count once, as before."
    )
    lake.maintain()
    assert about(explain_change(asked(lake), asked(lake)))["duplicates"] == 0


def test_a_copy_that_was_ingested_before_takes_the_place_of_the_other(lake):
    # the writer of the second source has a clock that is behind, and it says that ann bought the other plan
    put(lake, {"ann": "view:0 buy:9", "bob": "view:0"}, at=FIRST, source="one", plan="free")
    old = asked(lake, buy=PRO)
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST - timedelta(hours=1), source="two", plan="pro")
    change = explain_change(old, asked(lake, buy=PRO))
    assert causes(change) == {"code": 0, "removed events": 0, "duplicates": 0.5, "late events": 0}
    assert about(change)["duplicates"] == 4  # two take a place, two count for nothing
    assert "duplicates +0.5 (4 events)" in change.reading()


def test_what_came_late_with_an_early_stamp_came_late(lake):
    put(lake, {"ann": "view:0", "bob": "view:0 buy:5000"}, at=FIRST, source="one")
    old = asked(lake)
    put(lake, {"cem": "view:0 buy:9"}, at=FIRST - timedelta(hours=1), source="two")
    change = explain_change(old, asked(lake))
    assert causes(change)["late events"] == pytest.approx(1 / 3)
    assert about(change) == {"code": 0, "removed events": 0, "duplicates": 0, "late events": 2}


def test_causes_of_every_kind_are_told_apart_at_once(lake):
    put(
        lake,
        {"ann": "view:0 buy:9", "bob": "view:5000", "old": "view:-9000", "eve": "view:10"},
        at=FIRST,
        source="1",
        plan="free",
    )
    old = asked(lake, buy=PRO)
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST - timedelta(hours=1), source="2", plan="pro")
    put(lake, {"bob": "buy:5005"}, at=FIRST + timedelta(hours=1), source="3", plan="pro")
    lake.expire(before=datetime(2026, 1, 2, tzinfo=UTC))
    change = explain_change(
        old, asked(lake, buy=PRO, since="2026-01-06"), number=lambda answer: float(answer.attempts.step.sum())
    )
    assert causes(change) == {
        "code": 0,
        "removed events": -1,
        "duplicates": 1,
        "late events": 1,
        "definition: since": -3,
    }
    assert change.frame["change"].sum() == change.new - change.old


def test_the_code_is_a_cause_when_the_same_question_gives_another_number(lake):
    put(lake, {"ann": "view:0 buy:9", "bob": "view:0"}, at=FIRST, source="one")
    answer = asked(lake)
    by_older_code = dataclasses.replace(answer, attempts=answer.attempts.taken([0]))
    change = explain_change(by_older_code, answer, number=lambda each: float(each.entered))
    assert causes(change)["code"] == 1


def test_a_rate_of_nobody_counts_as_nothing(lake):
    put(lake, {"ann": "view:0 buy:9"}, at=FIRST, source="one")
    change = explain_change(asked(lake, until="2026-01-02"), asked(lake))
    assert (change.old, change.new) == (0, 1)
    assert causes(change)["definition: until"] == 1


def test_an_event_that_nobody_did_any_more_counts_as_nothing(lake):
    put(lake, {"ann": "buy:0", "bob": "view:5000"}, at=FIRST, source="one")
    old = Bench(lake, Settings()).active_users(event="buy", period="month", now=NOW)
    lake.expire(before=datetime(2026, 1, 7, tzinfo=UTC))
    new = Bench(lake, Settings()).active_users(period="month", now=NOW)
    change = explain_change(old, new, number=lambda answer: float(answer.frame["users"].sum()))
    assert causes(change) == {
        "code": 0,
        "removed events": -1,
        "duplicates": 0,
        "late events": 0,
        "definition: event": 1,
    }


def test_a_question_as_known_before_sees_less(lake):
    put(lake, {"ann": "view:0", "bob": "buy:5"}, at=FIRST, source="one")
    put(lake, {"ann": "view:1 buy:9"}, at=FIRST + timedelta(days=1), source="two")
    bench = Bench(lake, Settings())
    ask = {"steps": ["view", "buy"], "within": "1d", "now": NOW}
    change = explain_change(bench.funnel(**ask), bench.as_of(FIRST + timedelta(hours=1)).funnel(**ask))
    assert causes(change)["removed events"] == -1


arrivals = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cem"]),
        st.sampled_from(["view", "buy"]),
        st.integers(0, 90),
        st.integers(0, 3),
        st.integers(-2, 2),
    ),
    max_size=6,
)


def arrived(rows, *, at, source):
    """Make events of which some have ids that others have too, each with a stamp of its own."""
    tables = []
    for number, (who, what, minute, name, hours) in enumerate(rows):
        event = events_of({who: f"{what}:{minute}"})[0]
        copy = type(event)(
            **{each: getattr(event, each) for each in event.__struct_fields__} | {"event_id": f"e{name}"}
        )
        tables.append(stored([copy], ingested_at=at + timedelta(hours=hours), source=f"{source}/{number}"))
    return tables


@settings(max_examples=40)
@given(arrivals, arrivals, st.sampled_from(["10m", "1h"]), st.booleans())
def test_the_causes_add_up_to_the_difference(first, second, within, forget):
    one = arrived(first, at=FIRST, source="one")
    other = arrived(second, at=FIRST + timedelta(hours=1), source="two")
    known = stored(events_of({"visitor": "view:-9000 buy:-8000"}), ingested_at=FIRST - timedelta(days=3), source="zero")
    kept = one[len(one) // 2 :] if forget else one
    old, new = (
        Bench(MemoryStore(pa.concat_tables([known, *tables])), Settings()).funnel(["view", "buy"], within=each, now=NOW)
        for tables, each in ((one, "10m"), ([*kept, *other], within))
    )
    for number in (lambda answer: float(answer.attempts.step.sum()), lambda answer: answer.conversion_rate):
        change = explain_change(old, new, number=number)
        assert change.frame["change"].sum() == pytest.approx(number(new) - number(old), abs=1e-12)
        assert change.frame.set_index("cause")["change"]["code"] == 0
        assert (change.frame["events"] >= 0).all()


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


def test_other_people_are_another_definition_and_no_events_that_went():
    bench = Bench(store_of({"ann": "user_joined:0", "bob": "user_joined:0 view:5"}), Settings())
    viewers = bench.of(segment("view"), now="2026-01-20")
    change = explain_change(bench.active_users(now="2026-01-20"), viewers.active_users(now="2026-01-20"))
    assert causes(change) == {"code": 0, "definition: people": -1}


def test_other_people_of_other_events_are_too_much_at_once(lake):
    put(lake, {"ann": "view:0"}, at=FIRST, source="one")
    old = Bench(lake, Settings()).active_users(now=NOW)
    put(lake, {"bob": "view:0"}, at=FIRST + timedelta(days=1), source="two")
    new = Bench(lake, Settings()).of(segment("view"), now=NOW).active_users(now=NOW)
    with pytest.raises(InvalidArgument, match="change one at a time"):
        explain_change(old, new)


def test_different_questions_are_not_compared():
    bench = Bench(store_of({"ann": "user_joined:0"}), Settings())
    with pytest.raises(InvalidArgument, match="different questions"):
        explain_change(bench.stickiness(), bench.lifecycle())
    with pytest.raises(InvalidArgument, match="cannot be asked again"):
        explain_change(bench.profiles(), bench.profiles())
