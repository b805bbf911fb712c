import numpy as np
import pandas as pd


def messages(simulated) -> pd.DataFrame:
    return pd.concat([simulated.of("first_message"), simulated.of("message_sent")])


def test_a_first_message_is_a_persons_only_one_and_comes_before_all_others(simulated):
    first = simulated.of("first_message").set_index("user_id")["occurred_at"]
    others = simulated.of("message_sent").groupby("user_id")["occurred_at"].min()
    assert first.index.is_unique
    assert set(others.index) <= set(first.index)
    assert (others > first.loc[others.index]).all()


def test_first_messages_are_where_the_truth_puts_them(simulated):
    first = simulated.of("first_message").set_index("user_id")["occurred_at"].sort_index()
    truth = simulated.users["first_message_at"].dropna().sort_index()
    assert first.index.equals(truth.index)
    assert (first == truth).all()


def test_every_message_is_scored_within_a_second(simulated):
    sent = messages(simulated).set_index("message_id")
    scored = simulated.of("message_sentiment").set_index("message_id")
    assert sent.index.is_unique
    assert abs(len(scored) - len(sent)) <= 2  # the outage may part a message from its score
    both = sent.index.intersection(scored.index)
    wait = scored["occurred_at"].loc[both] - sent["occurred_at"].loc[both]
    assert wait.between(pd.Timedelta(0), pd.Timedelta(seconds=1)).all()


def test_an_unknown_language_has_no_score_instead_of_zero(simulated):
    scored = simulated.of("message_sentiment")
    unknown = scored["language"] == "tr"
    assert unknown.any()
    assert scored.loc[unknown, ["sentiment_score", "emotion"]].isna().all(axis=None)
    assert scored.loc[~unknown, "sentiment_score"].between(-1, 1).all()


def test_the_mood_of_a_person_can_be_read_in_what_they_write(simulated):
    scores = simulated.of("message_sentiment").dropna(subset="sentiment_score").groupby("user_id")["sentiment_score"]
    mean = scores.mean()[scores.size() >= 15]
    assert np.corrcoef(mean, simulated.users["mood"].loc[mean.index])[0, 1] > 0.8


def test_winners_talk_of_killing_and_are_glad(simulated):
    text = messages(simulated).set_index("message_id")["text"]
    scores = simulated.of("message_sentiment").set_index("message_id")["sentiment_score"]
    killing = text.index[text.str.contains("we killed it")].intersection(scores.dropna().index)
    crushed = text.index[text.str.contains("we got crushed")].intersection(scores.dropna().index)
    assert scores.loc[killing].mean() > 0.6
    assert scores.loc[crushed].mean() < -0.2


def test_the_length_of_a_message_is_said_in_characters(simulated):
    sent = messages(simulated)
    assert (sent["text"].str.len() == sent["chars"]).all()
