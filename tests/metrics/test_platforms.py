from __future__ import annotations

from workbench.metrics.platforms import platform_distribution
from workbench.testing import MemoryStore, events_of, store_of, stored

NOW = "2026-02-01"


def test_who_uses_two_platforms_counts_on_both_but_has_one_main_platform():
    on_discord = events_of({"ann": "view:0", "bob": "view:0"}, platform="discord")
    on_web = events_of({"ann": "later:1 later:2"}, platform="web")
    answer = platform_distribution(MemoryStore(stored(on_discord + on_web)).snapshot(), now=NOW)
    rows = answer.frame[["platform", "users", "share", "main_users", "events"]].to_numpy().tolist()
    assert rows == [["discord", 2, 1.0, 1, 2], ["web", 1, 0.5, 1, 2]]
    assert (answer.total, answer.chart().marks[0].values) == (2, (1.0, 1.0))
    assert "people use 0.5 further platforms on average" in answer.reading()


def test_more_platforms_than_colours_end_in_one_slice_of_others():
    events = [event for number in range(10) for event in events_of({f"user {number}": "view:0"}, platform=f"p{number}")]
    (ring,) = platform_distribution(MemoryStore(stored(events)).snapshot(), now=NOW).chart().marks
    assert (ring.labels[-1], ring.values[-1], sum(ring.values)) == ("3 others", 3.0, 10.0)


def test_events_without_a_platform_are_shown_as_such():
    answer = platform_distribution(store_of({"ann": "view:0"}).snapshot(), now=NOW)
    assert answer.frame["platform"].tolist() == ["(none)"]


def test_nobody_is_an_answer():
    answer = platform_distribution(store_of({}).snapshot(), now=NOW)
    assert (len(answer.frame), answer.total, answer.reading()) == (0, 0, "Nobody was active on any platform.")
