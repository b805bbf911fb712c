from __future__ import annotations

from workbench.metrics.platforms import platform_distribution
from workbench.testing import MemoryStore, events_of, store_of, stored

NOW = "2026-02-01"


def test_who_uses_two_platforms_counts_on_both_and_once_among_all():
    events = events_of({"ann": "view:0", "bob": "view:0"}, platform="discord") + events_of(
        {"ann": "view:1 view:2 view:3"}, platform="web"
    )
    answer = platform_distribution(MemoryStore(stored([*events[:2], *events[3:]])).snapshot(), now=NOW)
    assert answer.frame[["platform", "users", "share"]].to_numpy().tolist() == [["discord", 2, 1.0], ["web", 1, 0.5]]
    assert answer.people == 2
    assert "1 more than people" in answer.reading()


def test_events_without_a_platform_are_shown_as_such():
    answer = platform_distribution(store_of({"ann": "view:0"}).snapshot(), now=NOW)
    assert answer.frame["platform"].tolist() == ["(none)"]


def test_nobody_is_an_answer():
    answer = platform_distribution(store_of({}).snapshot(), now=NOW)
    assert (len(answer.frame), answer.people, answer.reading()) == (0, 0, "Nobody was active on any platform.")
