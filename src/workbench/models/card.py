"""The card of a model: what it is for, how good it is and where it fails, on one page that needs nothing else."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from workbench.models.features import FEATURES
from workbench.models.ltv import METHODS
from workbench.models.promotion import gates

if TYPE_CHECKING:
    import pandas as pd

    from workbench.models.registry import About

CARD: Final = "card.html"
_SHOWN: Final = 12

PURPOSES: Final = {
    "engagement": (
        "A random forest. It predicts the engagement score, in [0, 1], of the {days} days to come, with its 90% "
        "interval.",
        "Whom to thank, whom to invite. Not: to judge people, or to pay them.",
    ),
    "churn": (
        "Gradient-boosted trees (XGBoost), calibrated. They predict the probability of no event at all in the {days} "
        "days to come.",
        "Whom to care for first, within what can be cared for. Not: whether care will help; `workbench models uplift` "
        "measures that.",
    ),
    "ltv": (
        "LTV, next {days} days: the discounted USD that a person spends in those days, with a 90% interval. "
        "It is predicted by {method}, whichever of a neural network and BG/NBD with Gamma-Gamma (purchases alone) was "
        "better out of time.",
        "Sums over groups, and an order of people. Not: the amount of one person, whose interval is wide.",
    ),
    "next_action": (
        "Gradient-boosted trees (XGBoost). They predict what a person does first in the {days} days to come, if "
        "anything: probabilities that add up to 1.",
        "What to offer next. Not: what will be done in the end; it is the first action only.",
    ),
}
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.2rem .7rem;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
    "@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#161616}td,th{border-color:#444}}"
)


def card(
    name: str, about: About, *, table: pd.DataFrame, calibration: pd.DataFrame, importances: pd.DataFrame
) -> bytes:
    """Write the card of a version.

    Args:
        name: Of the model.
        about: What was published of it.
        table: Its metrics out of time, as `evaluate.compare` gives them.
        calibration: As `evaluate.calibration` gives it.
        importances: `feature` and `importance`, the largest first.
    """
    what, use = PURPOSES[name]
    failed = gates(name, table)
    top = importances.head(_SHOWN)
    described = top.assign(meaning=[FEATURES.get(feature, "") for feature in top["feature"]])
    people = int(table["n"].max())
    parts = [
        f"<h1>{html.escape(_title(name, about))}</h1><p>{html.escape(_about(what, about))}</p>",
        f"<p><b>For:</b> {html.escape(use)}</p>",
        f"<p>Trained on what was known until {about.trained_until:%Y-%m-%d %H:%M %Z}, data version "
        f"{html.escape(about.data_version)}, features {html.escape(about.feature_version)}. Only who had an event in "
        "the weeks before is an example; of others nothing is said.</p>",
        f"<h2>How good</h2><p>Out of time: {people:,} people times weeks that came after all it was trained on, beside "
        "a baseline; 95% intervals over people.</p>",
        _html(table),
        f"<p><b>Gates:</b> {html.escape('; '.join(failed)) if failed else 'passed'}</p>",
        "<h2>Said and seen</h2><p>In groups of equal size by prediction.</p>",
        _html(calibration),
        "<h2>What it looks at</h2><p>Share of what moves its predictions; it says nothing of causes.</p>",
        _html(described),
        "<h2>Where it fails</h2><p>It knows the weeks it was trained on: after a campaign, an outage or a new feature, "
        "look at <code>workbench models drift</code> first. People with few events are predicted like others with few "
        "events.</p>",
    ]
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(_title(name, about))}</title>'
    return f"{head}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n".encode()


def _title(name: str, about: About) -> str:
    return f"LTV, next {about.horizon_days} days" if name == "ltv" else name


def _about(what: str, about: About) -> str:
    return what.format(days=about.horizon_days, method=METHODS.get(about.method, about.method))


def _html(table: pd.DataFrame) -> str:
    text: str = table.to_html(index=False, border=0, na_rep="", float_format=lambda number: f"{number:.4g}")
    return text
