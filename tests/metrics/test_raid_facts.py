from __future__ import annotations

from tests.metrics.communities import community
from workbench.metrics.raid_facts import raid_facts

NOW = "2026-02-01"


def raids(*groups):
    return raid_facts(community(*groups), now=NOW)


FIRST = (
    ({"ann": "raid_started:600"}, {"raid_id": "r1", "platform": "x", "properties": {"target": "post"}}),
    ({"bob": "raid_joined:605 raid_action:606 raid_action:607", "cem": "raid_joined:606"}, {"raid_id": "r1"}),
    ({"ann": "raid_ended:640"}, {"raid_id": "r1", "properties": {"success": True, "reward_xp": 50}}),
)
SECOND = (
    ({"ann": "raid_started:2040"}, {"raid_id": "r2"}),
    ({"bob": "raid_joined:2041", "dee": "raid_joined:2042"}, {"raid_id": "r2"}),
)


def test_what_is_known_of_a_raid():
    row = raids(*FIRST).frame.iloc[0]
    assert (row["raid_id"], row["platform"], row["target"], row["success"]) == ("r1", "x", "post", True)
    assert (row["participants"], row["actions"], row["actions_per_participant"]) == (2, 2, 1.0)
    assert (row["duration_min"], row["reward_xp"], row["weekday"], row["hour"]) == (40.0, 50.0, 0, 10)


def test_who_joined_a_raid_before_is_not_new_to_the_next():
    assert raids(*FIRST, *SECOND).frame["new_participants"].tolist() == [2, 1]
    assert "75.0% of those who joined had joined none before" in raids(*FIRST, *SECOND).reading()


def test_a_raid_that_runs_has_no_end():
    row = raids(*SECOND).frame.iloc[0]
    assert row[["ended_at", "success", "duration_min"]].isna().all()
    assert raids(*SECOND).chart().marks == ()


def test_without_raids_there_is_nothing_to_gather():
    answer = raids(({"ann": "view:0"}, {}))
    assert (len(answer.frame), answer.reading()) == (0, "No raid started in this time.")
