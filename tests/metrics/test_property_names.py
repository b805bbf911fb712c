"""Properties by name: an unknown one is an error with the nearest, one that is called as a field can be reached."""

import numpy as np
import pytest

import workbench as wb
from workbench.bench import Bench
from workbench.errors import InvalidArgument, UnknownProperty
from workbench.testing import MemoryStore, events_of, store_of, stored

NOW = "2026-02-01"


@pytest.fixture
def bench() -> Bench:
    """Ann has the plan free and a property value of gold, bob has neither; a field value is on nobody."""
    ann = events_of({"ann": "view:0 buy:1"}, properties={"plan": "free", "value": "gold"}, platform="discord")
    return Bench(MemoryStore(stored([*ann, *events_of({"bob": "view:0"}, value=7.0)])))


ASK = {
    "funnel by": lambda b, name: b.funnel(["view", "buy"], by=name, now=NOW),
    "funnel hold": lambda b, name: b.funnel(["view", "buy"], hold=name, now=NOW),
    "funnel where": lambda b, name: b.funnel([wb.step("view", where={name: "x"}), "buy"], now=NOW),
    "funnel exclude": lambda b, name: b.funnel(
        ["view", "buy"], exclude=[(wb.step("view", where={name: 1}), 1, 2)], now=NOW
    ),
    "retention by": lambda b, name: b.retention("view", by=name, now=NOW),
    "retention start": lambda b, name: b.retention(wb.step("view", where={name: "x"}), now=NOW),
    "retention returns": lambda b, name: b.retention("view", wb.step("buy", where={name: "x"}), now=NOW),
    "active users by": lambda b, name: b.active_users(by=name, now=NOW),
    "active users event": lambda b, name: b.active_users(event=wb.step("view", where={name: "x"}), now=NOW),
    "lifecycle": lambda b, name: b.lifecycle(event=wb.step("view", where={name: "x"}), now=NOW),
    "stickiness": lambda b, name: b.stickiness(event=wb.step("view", where={name: "x"}), now=NOW),
    "segment": lambda b, name: b.of(wb.segment(wb.step("view", where={name: "x"})), now=NOW),
    "drivers": lambda b, name: b.funnel(["view", "buy"], now=NOW).drivers(properties=[name]),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK)
def test_an_unknown_property_is_an_error_with_the_nearest_name(bench, ask):
    with pytest.raises(UnknownProperty, match=r"'plann' \(nearest: 'plan'\)"):
        ask(bench, "plann")
    ask(bench, "plan")
    ask(bench, "platform")


def test_the_people_of_a_segment_need_not_have_the_property(bench):
    assert bench.of(wb.people(["bob"]), now=NOW).active_users(by="plan", now=NOW).frame["segment"].tolist() == [
        "(none)"
    ]


def test_where_there_are_no_events_anything_may_come():
    assert Bench(store_of({})).active_users(by="plan", now=NOW).frame.empty


def test_value_is_the_property_where_events_have_one(bench):
    found = bench.active_users(by="value", now=NOW)
    assert found.definition.by == "properties.value"
    assert found.frame.set_index("segment")["users"].to_dict() == {"gold": 1, "(none)": 1}
    field = Bench(store_of({"ann": "view:0"}, value=7.0)).active_users(by="value", now=NOW)
    assert field.frame["segment"].tolist() == ["7"]


def test_a_property_that_is_called_as_a_field_has_a_longer_name():
    store = store_of({"ann": "view:0"}, platform="discord", properties={"platform": "ios", "timestamp": "late"})
    bench = Bench(store)
    by = {
        name: bench.active_users(by=name, now=NOW).frame["segment"].tolist()
        for name in ("platform", "properties.platform", "properties.timestamp")
    }
    assert by == {"platform": ["discord"], "properties.platform": ["ios"], "properties.timestamp": ["late"]}
    held = wb.step("view", where={"properties.platform": "ios"})
    assert len(bench.active_users(event=held, now=NOW).frame) == 1
    with pytest.raises(InvalidArgument):
        bench.active_users(by="timestamp", now=NOW)


@pytest.mark.parametrize("name", ["é", 'a"b', "a/b~c", "$x y", "\u2028", "a.b"])
def test_a_name_of_whatever_letters_is_known(name):
    bench = Bench(store_of({"ann": "view:0"}, properties={name: "x"}))
    assert bench.active_users(by=name, now=NOW).frame["segment"].tolist() == ["x"]


def test_a_known_property_is_not_looked_up_among_all_names(bench, monkeypatch):
    asked = []
    query = type(bench.snapshot).query
    monkeypatch.setattr(
        type(bench.snapshot), "query", lambda self, sql, *a, **k: asked.append(sql) or query(self, sql, *a, **k)
    )
    for _ in range(2):
        bench.active_users(by="plan", now=NOW)
    assert sum("LIMIT 1" in sql for sql in asked) == 1
    assert not any("json_keys" in sql for sql in asked)
    assert np.size(asked)
