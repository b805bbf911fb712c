import json

import numpy as np
import pytest

from workbench.errors import ModelError
from workbench.models.conformal import Band, band


def noisy(n, seed):
    """Numbers whose spread grows with what is predicted."""
    rng = np.random.default_rng(seed)
    said = rng.uniform(1, 10, n)
    return said + rng.normal(0, said / 5), said


@pytest.mark.parametrize("kind", ["difference", "ratio"])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_as_often_as_they_say_in_examples_that_are_new(kind, level):
    learnt = band(*noisy(4_000, 1), kind=kind, level=level)
    truth, said = noisy(20_000, 2)
    low, high = learnt.around(said)
    inside = (truth >= low) & (truth <= high)
    assert inside.mean() == pytest.approx(level, abs=0.02)
    for group in (said < 3, said > 8):  # not only on the whole
        assert inside[group].mean() == pytest.approx(level, abs=0.05)
    assert (high - low)[said > 8].mean() > 2 * (high - low)[said < 3].mean()


def test_an_interval_holds_the_prediction_even_where_all_examples_lay_above():
    learnt = band(np.full(60, 5.0), np.linspace(1, 2, 60), kind="difference")
    low, high = learnt.around(np.array([0.0, 1.5, 99.0]))
    assert (low <= [0.0, 1.5, 99.0]).all()
    assert (high >= [0.0, 1.5, 99.0]).all()


def test_equal_predictions_are_one_group():
    learnt = band(np.arange(100.0), np.zeros(100), kind="difference", level=0.8)
    assert len(learnt.edges) == 0
    low, high = learnt.around(np.zeros(1))
    assert low[0] == 0  # the prediction itself, below nine tenths of the truths
    assert high[0] == pytest.approx(89.5, abs=1)


def test_a_band_survives_json():
    learnt = band(*noisy(500, 3), kind="ratio")
    again = Band.from_dict(json.loads(json.dumps(learnt.to_dict())))
    said = np.linspace(0, 20, 50)
    assert np.array_equal(learnt.around(said), again.around(said))


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({"kind": "guess"}, "no band"),
        ({"low": [1.0]}, "no band"),
        ({"high": ["a"] * 10}, "cannot be read"),
        ({"edges": None}, "no band"),
        ({"low": [float("nan")] * 10}, "not finite"),
    ],
)
def test_what_is_no_band_is_refused(changed, wrong):
    fields = band(*noisy(500, 3), kind="ratio").to_dict()
    with pytest.raises(ModelError, match=wrong):
        Band.from_dict({**fields, **changed})
    with pytest.raises(ModelError, match="cannot be read"):
        Band.from_dict({"kind": "ratio"})
