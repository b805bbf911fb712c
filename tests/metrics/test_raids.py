from __future__ import annotations

import math

from workbench.metrics.raids import raid_activity
from workbench.testing import MemoryStore, events_of, stored

NOW = "2026-02-01"


def raids(*events, **options):
    return raid_activity(
        MemoryStore(stored([event for some in events for event in some])).snapshot(), **{"now": NOW, **options}
    )


def raid(raid_id, journeys, **properties):
    return events_of(
        {f"{user} in {raid_id}": done for user, done in journeys.items()}, raid_id=raid_id, properties=properties
    )


def test_people_who_joined_count_once_and_the_end_says_how_it_went():
    answer = raids(
        raid("r1", {"ann": "raid_started:0 raid_joined:1 raid_joined:2 raid_action:3", "bob": "raid_joined:4"}),
        raid("r1", {"end": "raid_ended:30"}, success=True),
    )
    (row,) = answer.frame.to_dict("records")
    assert (row["participants"], row["actions"], row["success"], row["running"]) == (2, 1, True, False)
    assert answer.success_rate == 1
    assert "after 30 min in the median" in answer.reading()


def test_an_end_that_does_not_say_how_is_drawn_as_an_end():
    told = raid("r2", {"ann": "raid_started:0 raid_ended:60"})
    answer = raids(raid("r1", {"ann": "raid_started:0"}), raid("r1", {"end": "raid_ended:30"}, success=True), told)
    assert [mark.label for mark in answer.chart().marks] == ["succeeded", "ended"]
    assert "2 ended, after 45 min in the median; of the 1 that say how, 100.0% succeeded." in answer.reading()
    assert raids(told).reading().endswith("none says how.")


def test_of_two_ends_the_later_says_how_it_went():
    start = raid("r1", {"ann": "raid_started:0"})
    ends = [
        raid("r1", {f"end {minute}": f"raid_ended:{minute}"}, success=success)
        for minute, success in ((30, True), (40, False))
    ]
    for order in (ends, ends[::-1]):
        assert raids(start, *order).frame["success"].tolist() == [False]


def test_a_raid_without_an_end_is_running():
    answer = raids(raid("r1", {"ann": "raid_started:0 raid_joined:1"}))
    assert answer.frame["running"].tolist() == [True]
    assert math.isnan(answer.success_rate)
    assert "1 are running. None has ended yet." in answer.reading()


def test_a_raid_that_reaches_into_the_time_asked_for_is_listed():
    first = raid("r1", {"ann": "raid_started:0 raid_ended:60"})
    second = raid("r2", {"ann": "raid_started:0 raid_ended:10"})
    assert raids(first, second, since="2026-01-05T00:30").frame["raid_id"].tolist() == ["r1"]
    assert raids(first, second, until="2026-01-05").frame.empty


def test_no_raid_is_an_answer():
    answer = raids([])
    assert (answer.reading(), answer.chart().marks) == ("No raid ran in this time.", ())
