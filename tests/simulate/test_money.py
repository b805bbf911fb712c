import pytest


def test_a_wallet_is_connected_once_and_after_a_raid(simulated):
    wallets = simulated.of("wallet_connected").set_index("user_id")["occurred_at"]
    raided = simulated.of("raid_joined").groupby("user_id")["occurred_at"].min()
    assert wallets.index.is_unique
    assert (wallets > raided.loc[wallets.index]).all()
    truth = simulated.users["wallet_connected_at"].dropna()
    assert wallets.sort_index().equals(truth.sort_index().rename("occurred_at"))


def test_people_buy_with_the_wallet_that_they_connected(simulated):
    wallets = simulated.of("wallet_connected").set_index("user_id")
    bought = simulated.of("purchase")
    assert (bought["value"] > 0).all()
    assert (bought["occurred_at"].to_numpy() > wallets["occurred_at"].loc[bought["user_id"]].to_numpy()).all()
    assert (bought["chain"].to_numpy() == wallets["chain"].loc[bought["user_id"]].to_numpy()).all()


def test_people_pay_what_the_truth_says_on_average(simulated):
    bought = simulated.of("purchase")
    expected = simulated.users["mean_purchase_usd"].loc[bought["user_id"]].sum()
    assert bought["value"].sum() == pytest.approx(expected, rel=0.1)


def test_only_purchases_have_a_value(simulated):
    assert set(simulated.events.dropna(subset="value")["event_type"]) == {"purchase"}
