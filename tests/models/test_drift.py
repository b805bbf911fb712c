import json
import math

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ModelError
from workbench.models.drift import SCORE, drift, reference


def people(n=2_000, *, seed=1, more=0.0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"visits": rng.poisson(5 + more, n).astype(float), "age": rng.exponential(30, n)})
    return X, pd.Series(1 / (1 + np.exp(-(X["visits"] - 5))))


def test_the_same_people_have_not_drifted_at_all():
    X, said = people()
    table = drift(reference(X, said), X, said)
    assert table["psi"].tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    assert set(table["change"]) == {"stable"}
    assert sorted(table["feature"]) == [SCORE, "age", "visits"]
    assert set(table["n"]) == {2_000}


def test_other_people_of_the_same_kind_are_stable_and_livelier_ones_are_seen_first():
    known = reference(*people())
    assert drift(known, *people(seed=2))["psi"].max() < 0.05
    table = drift(known, *people(seed=2, more=5)).set_index("feature")
    assert table.index[-1] == "age"
    assert table["change"].to_dict() == {SCORE: "large", "visits": "large", "age": "stable"}


def test_the_index_is_the_sum_of_the_textbook():
    X = pd.DataFrame({"half": [0.0] * 50 + [1.0] * 50})
    now = pd.DataFrame({"half": [0.0] * 20 + [1.0] * 80})
    table = drift(reference(X, X["half"]), now, now["half"]).set_index("feature")
    by_hand = (0.2 - 0.5) * math.log(0.2 / 0.5) + (0.8 - 0.5) * math.log(0.8 / 0.5)
    assert table.loc["half", "psi"] == pytest.approx(by_hand)


def test_who_is_unknown_now_and_was_known_then_counts_as_a_change():
    X, said = people()
    hidden = X.assign(age=X["age"].where(np.arange(len(X)) % 2 == 0))
    table = drift(reference(X, said), hidden, said).set_index("feature")
    assert table.loc["age", "change"] == "large"
    assert table.loc["visits", "psi"] == pytest.approx(0)


def test_a_feature_that_nobody_had_is_compared_all_the_same():
    X = pd.DataFrame({"never": [np.nan] * 30})
    facts = reference(X, pd.Series([0.5] * 30))
    assert json.loads(facts)["never"]["edges"] == []
    assert drift(facts, X, pd.Series([0.5] * 30))["psi"].max() == pytest.approx(0)


def test_a_feature_that_is_gone_is_named():
    X, said = people()
    with pytest.raises(ModelError, match=r"not there: \['age'\]"):
        drift(reference(X, said), X.drop(columns="age"), said)
