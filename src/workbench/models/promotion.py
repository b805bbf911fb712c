"""Which model serves: gates that every model has to pass, and by how much a challenger has to be better."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import GateFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

MARGIN: Final = 0.01
"""Share of the champion's loss that a challenger has to save."""

MOST_MISCALIBRATED: Final = 0.05
MOST_TOTAL_ERROR: Final = 1.0
WIDEST_MISS: Final = 0.15
"""How far the coverage of intervals may lie from what they claim."""

NOT_WORSE: Final = {"engagement": "mae", "churn": "auc", "ltv": "deviance", "next_action": "log_loss"}
"""The metric in which a model must not be worse than its baseline beyond chance."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a newly trained model serves, and why.

    Attributes:
        model: Its name.
        version: Of the challenger.
        metric: The loss that was compared, less being better.
        loss: Of the challenger, out of time.
        promoted: Whether it serves now.
        why: In one sentence.
        champion: Version that it was compared with; `None` if there was none that could be.
        champion_loss: Of the champion, on the same people and weeks.
        saved: Share of the champion's loss that the challenger saves.
        saved_low: Lower end of its 95% interval.
        saved_high: Upper end of it.
    """

    model: str
    version: str
    metric: str
    loss: float
    promoted: bool
    why: str
    champion: str | None = None
    champion_loss: float | None = None
    saved: float | None = None
    saved_low: float | None = None
    saved_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A champion, measured on the people and weeks that the challenger was measured on.

    Attributes:
        version: Of the champion.
        trained_until: End of its data.
        table: One row of `evaluate.compare`: the challenger as `value`, the champion as `baseline`.
        fair: Whether the champion had seen nothing of what it was measured on.
    """

    version: str
    trained_until: datetime
    table: pd.DataFrame
    fair: bool


def gates(model: str, table: pd.DataFrame) -> list[str]:
    """Return what is wrong with a model, by its metrics out of time; nothing if it may serve.

    Args:
        model: Its name.
        table: The rows of `evaluate.compare`, one per metric.
    """
    rows = _by_metric(table)
    failed = []
    row = rows.get(NOT_WORSE.get(model, ""))
    if row and math.isnan(row["value"]):
        failed.append(f"{NOT_WORSE[model]} cannot be measured: what was predicted came out alike for everybody")
    if row and row["gain_ci_high"] < 0:
        failed.append(
            f"{NOT_WORSE[model]} {row['value']:.4g} is worse than the baseline's {row['baseline']:.4g} beyond chance"
        )
    row = rows.get("calibration_error")
    if row and row["ci_low"] > MOST_MISCALIBRATED:
        failed.append(
            f"its probabilities are off by {row['value']:.1%}, more than {MOST_MISCALIBRATED:.0%} beyond chance"
        )
    row = rows.get("coverage")
    if row and row["ci_high"] < row["baseline"] - WIDEST_MISS:
        failed.append(f"its {row['baseline']:.0%} intervals hold {row['value']:.0%} of the time")
    row = rows.get("total_error")
    if row and row["ci_low"] > MOST_TOTAL_ERROR:
        failed.append(f"the sum of its predictions is off by {row['value']:.0%}")
    return failed


def _by_metric(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(row["metric"]): {str(name): row[name] for name in row} for row in table.to_dict("records")}


def decide(
    model: str, version: str, table: pd.DataFrame, *, loss: str, rival: Rival | None, margin: float = MARGIN
) -> Decision:
    """Decide whether a challenger serves.

    It does if it passes the gates, and if there is a champion, saves at least `margin` of its loss, beyond chance, on
    people and weeks that the challenger had not seen. A champion that has seen some of them is at an advantage, so that
    what is promoted against it is better all the more.
    """
    failed = gates(model, table)
    own = float(_by_metric(table)[loss]["value"])
    if rival is None:
        why = "the first that can serve" if not failed else "; ".join(failed)
        return Decision(model=model, version=version, metric=loss, loss=own, promoted=not failed, why=why)
    row = _by_metric(rival.table)[loss]
    scale = row["baseline"] if row["baseline"] > 0 else float("nan")
    saved, low, high = (float(row[name] / scale) for name in ("gain", "gain_ci_low", "gain_ci_high"))
    better = saved >= margin and low > 0
    told = f"{loss} {row['value']:.4g} against {row['baseline']:.4g}: saves {saved:.1%} ({low:.1%} to {high:.1%})"
    told += "" if rival.fair else f"; the champion, trained until {rival.trained_until:%Y-%m-%d}, had seen these weeks"
    verdict = "better by the margin" if better else f"not better by {margin:.0%} beyond chance"
    return Decision(
        model=model,
        version=version,
        metric=loss,
        loss=own,
        promoted=better and not failed,
        why="; ".join([*failed, f"{verdict}: {told}"]),
        champion=rival.version,
        champion_loss=float(row["baseline"]),
        saved=saved,
        saved_low=low,
        saved_high=high,
    )


def gate(failed: Sequence[tuple[str, str]]) -> None:
    """Raise for what is wrong with models.

    Args:
        failed: Pairs of model and what is wrong with it.

    Raises:
        GateFailed: There is any.
    """
    if failed:
        told = "; ".join(f"{model}: {wrong}" for model, wrong in failed)
        raise GateFailed(f"not fit to serve, so the champions stay: {told}")
