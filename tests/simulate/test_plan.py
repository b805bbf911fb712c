from datetime import date, datetime

import pytest

from workbench.errors import InvalidArgument
from workbench.simulate.plan import DAY, Plan

CHRISTMAS = date(2026, 12, 25)


@pytest.mark.parametrize(("name", "value"), [("users", 0), ("days", 0), ("seed", -1), ("users", 2.5), ("days", "9")])
def test_what_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(InvalidArgument, match=f"{name} is a whole number of at least"):
        Plan(**{"users": 1, "days": 1, "seed": 0, "until": CHRISTMAS, name: value})


def test_the_end_is_a_date():
    with pytest.raises(InvalidArgument, match="until is a date"):
        Plan(1, 1, 0, datetime(2026, 12, 25, 9))


def test_nothing_began_before_1970():
    with pytest.raises(InvalidArgument, match="before 1970-01-01"):
        Plan(1, 800, 0, date(1972, 1, 1))


def test_the_day_before_the_end_is_the_last():
    plan = Plan(1, 10, 0, CHRISTMAS)
    assert plan.midnight(10) - plan.midnight(0) == 10 * DAY
    assert plan.weekday(9) == date(2026, 12, 24).weekday()


@pytest.mark.parametrize("days", [1, 2, 7, 120, 365])
def test_campaign_and_outage_lie_within_the_days(days):
    plan = Plan(1, days, 0, CHRISTMAS)
    assert 0 <= plan.campaign.start < plan.campaign.stop <= days
    assert plan.midnight(0) < plan.degraded[0] < plan.outage[1] < plan.midnight(days)


def test_ids_differ_between_communities_of_the_same_seed():
    salts = {Plan(users, days, 7, CHRISTMAS).salt for users in (1, 2) for days in (1, 2)}
    assert len(salts) == 4
