import json

import pyarrow.parquet as pq

from workbench.simulate import community, effects


def test_the_truth_is_written_as_it_is(tmp_path):
    crowd = community(users=30, days=5)
    events = sum(day.num_rows for day in crowd)
    crowd.truth.write(tmp_path)
    assert pq.read_table(tmp_path / "users.parquet").equals(crowd.truth.users)
    assert pq.read_table(tmp_path / "raids.parquet").equals(crowd.truth.raids)
    facts = json.loads((tmp_path / "truth.json").read_text())
    assert facts == crowd.truth.facts
    assert facts["events"] == events


def test_the_coefficients_stand_in_the_facts(simulated):
    assert simulated.facts["churn"].items() >= effects.CHURN.items()
    assert simulated.facts["raid"].items() >= effects.RAID.items()
    assert simulated.facts["activation"] == effects.ACTIVATION


def test_the_counts_are_those_of_the_tables(simulated):
    assert simulated.facts["churned_users"] == simulated.users["churned"].sum()
    assert simulated.facts["campaign"]["users"] == (simulated.users["source"] == "campaign").sum()
    assert simulated.facts["users"] == len(simulated.users) == simulated.users["user_id"].nunique()
