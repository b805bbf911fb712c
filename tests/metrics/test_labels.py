"""Values that read like labels: each is a value, and the groups of no value and of other values are named apart."""

from datetime import timedelta

import pandas as pd
import pytest

import workbench as wb
from workbench.bench import Bench
from workbench.testing import START

NOW = "2026-02-01"


def bench_of(rows: list[tuple[str, str, int, str | None]]) -> Bench:
    """Ask rows of a person, an event, a minute and a plan."""
    frame = pd.DataFrame(rows, columns=["u", "e", "t", "plan"])
    frame["t"] = [START + timedelta(minutes=minute) for minute in frame["t"]]
    return wb.from_frame(frame, user="u", event="e", time="t")


NAMED = [("a", "view", 0, "(none)"), ("b", "view", 0, None), ("c", "view", 0, None), ("d", "view", 0, "((none))")]


def test_a_segment_of_a_funnel_has_the_people_that_its_row_counts():
    found = bench_of([*NAMED, ("d", "buy", 1, "x")]).funnel(["view", "buy"], by="plan", now=NOW)
    first = found.frame[found.frame["step"] == 1].set_index("segment")["users"].to_dict()
    assert first == {"(none)": 1, "((none))": 1, "(((none)))": 2}
    people = {name: found.people(1, segment=name) for name in first}
    assert people == {"(none)": ["a"], "((none))": ["d"], "(((none)))": ["b", "c"]}


def test_active_users_lose_nobody():
    found = bench_of(NAMED).active_users(by="plan", now=NOW)
    assert found.frame.set_index("segment")["users"].to_dict() == {"((none))": 1, "(none)": 1, "(((none)))": 2}
    assert found.people("2026-01-05", segment="(((none)))") == ["b", "c"]


def test_retention_keeps_them_apart():
    found = bench_of(NAMED).retention("view", by="plan", period="day", now="2026-01-07")
    sizes = found.frame[found.frame["period"] == 0].set_index("segment")["cohort_size"].to_dict()
    assert sizes == {"((none))": 1, "(none)": 1, "(((none)))": 2}
    assert found.people("2026-01-05", segment="(none)") == ["a"]
    assert found.mean.query("period == 1")["cohort_size"].tolist() == [1, 1, 2]


def test_other_values_are_not_mixed_with_a_value_of_that_name():
    rows = [(f"u{plan}{person}", "view", 0, f"p{plan:02}") for plan in range(25) for person in range(2)]
    rows += [(f"o{person}", "view", 0, "(other)") for person in range(3)]
    found = bench_of(rows).active_users(by="plan", now=NOW)
    users = found.frame.set_index("segment")["users"].to_dict()
    assert (users["(other)"], users["((other))"], sum(users.values())) == (3, 2, 53)
    assert "all others are ((other))" in found.reading()


def test_a_value_called_other_is_not_said_to_be_the_rest():
    found = bench_of([("a", "view", 0, "(other)"), ("b", "view", 0, "x")]).active_users(by="plan", now=NOW)
    assert "all others" not in found.reading()


def platforms_of(*names: str | None) -> Bench:
    frame = pd.DataFrame({"u": [f"u{n}" for n in range(len(names))], "e": "view", "platform": [*names]})
    frame["t"] = START
    return wb.from_frame(frame, user="u", event="e", time="t")


def test_platforms_without_a_name_are_not_mixed_with_one_of_that_name():
    found = platforms_of("(none)", None, None).platform_distribution(now=NOW)
    assert found.frame.set_index("platform")["users"].to_dict() == {"((none))": 2, "(none)": 1}
    assert (found.people("(none)"), found.people("((none))")) == (["u0"], ["u1", "u2"])


@pytest.fixture
def walked():
    """Ann does an event called (start), then one called (end); bob does (other)."""
    rows = [("ann", "(start)", 0, None), ("ann", "(end)", 1, None), ("bob", "(other)", 0, None)]
    return bench_of(rows).journeys(now=NOW)


def test_events_that_read_like_the_ends_of_a_path_are_events(walked):
    found = walked.transitions("count")
    pairs = set(zip(found.frame["from_event"], found.frame["to_event"], strict=True))
    assert pairs == {("((start))", "(start)"), ("(start)", "(end)"), ("(end)", "((end))"),
                     ("((start))", "(other)"), ("(other)", "((end))")}  # fmt: skip
    assert found.people("((start))", "(start)") == ["ann"]
    assert found.people("(end)", "((end))") == ["ann"]
    assert found.chart().marks
    assert "begin with" in found.reading()
    assert walked.graph().chart().marks


def test_step_views_tell_them_apart(walked):
    matrix = walked.step_matrix()
    shares = matrix.frame[matrix.frame["step"] == 1].set_index("event")["paths"].to_dict()
    assert shares == {"(end)": 1, "(other)": 0, "(start)": 0, "((start))": 0, "((end))": 1}
    assert matrix.people("((end))", 1) == ["bob"]
    assert matrix.people("(end)", 1) == ["ann"]
    assert matrix.chart().marks
    assert matrix.reading()
    sankey = walked.step_sankey(top=1)
    assert set(sankey.frame["to_event"]) >= {"((end))"}
    assert sankey.chart().marks
    assert sankey.reading()


def test_a_difference_of_journeys_names_its_ends_apart(walked):
    both = walked.diff(walked)
    assert set(both.frame["from_event"]) == {"((start))", "(start)", "(end)", "(other)"}
