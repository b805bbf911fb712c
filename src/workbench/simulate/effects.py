"""The laws of the simulated community: every number that a model may be asked to find again.

`truth.json` repeats them word for word. Logits are natural-log odds; a covariate that is called
standardised has mean 0 and standard deviation 1 in the population.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.simulate.plan import Array

ACTIVATION: Final = {"intercept": 0.55, "campaign": -0.6, "treatment": 0.5, "mood": 0.2}
"""Logit of ever writing a first message. `treatment` is the effect of the experiment, and its only one."""

CHURN: Final = {
    "intercept": -3.35,
    "activity": -0.45,
    "mood": -0.3,
    "raid_spirit": -0.35,
    "ai_satisfaction": -0.25,
    "extra_platforms": -0.25,
    "activated": -0.8,
    "campaign": 0.7,
}
"""Logit of leaving for good on any one night; `extra_platforms` counts those beyond the first."""

FIRST_NIGHTS: Final = 7
FIRST_NIGHTS_LOGIT: Final = 0.9
"""Added to the churn logit on each of the first seven nights after joining."""

FADE_DAYS: Final = 10
FADE_TO: Final = 0.3
"""Over the last ten days before leaving, sessions fall in a straight line to 30% of their usual number."""

RAID: Final = {"intercept": 0.5, "log_participants": 1.0, "log_reward": 0.4, "off_duration": -0.8}
"""Logit of a raid's success: ln(participants / 15), ln(reward_xp / 100), (log2(duration_min / 45)) squared."""

RAID_SLOTS: Final = {"night": -0.9, "morning": -0.2, "afternoon": 0.5, "evening": 0.2}
"""Added to the raid logit by the quarter of the UTC day in which it starts: 0-6, 6-12, 12-18, 18-24."""

WALLET: Final = {"intercept": -2.6, "activity": 0.4}
"""Logit of connecting a wallet after any one raid that the person joined."""

PROMPT_QUALITY: Final = 0.06
"""What prompt `v4` adds to the mean `quality_score` of an answer over prompt `v3`."""

ERROR_RATE: Final = 0.012
ERROR_RATE_DEGRADED: Final = 0.6
"""Share of requests and AI answers that fail: on a normal day, and in the hour before the outage."""

LATE_RATE: Final = 0.01
DUPLICATE_RATE: Final = 0.005
"""Shares of events that arrive one to six days late, and that arrive twice."""


def logit(coefficients: Mapping[str, float], /, **covariates: Array) -> Array:
    """Add up intercept and covariates times their coefficients; a name on one side only is an error.

    >>> float(logit({"intercept": -1.0, "mood": 2.0}, mood=np.array(0.25)))
    -0.5
    """
    if unknown := covariates.keys() - coefficients.keys():
        raise KeyError(*sorted(unknown))
    # Always in the order of the coefficients: another order of adding is another last bit.
    total = np.asarray(coefficients["intercept"], dtype=np.float64)
    for name, coefficient in coefficients.items():
        if name != "intercept":
            total = total + coefficient * covariates[name]
    return total


def probability(logits: Array) -> Array:
    """Turn logits into probabilities.

    >>> float(probability(np.array(0.0)))
    0.5
    """
    return 1.0 / (1.0 + np.exp(-logits))
