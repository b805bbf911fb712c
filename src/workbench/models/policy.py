"""What to do for whom: levels of risk by capacity or cost, actions by level, and a random holdout to measure them by.

The policy is a YAML file; `policies/default.yaml` says what may be in it.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from workbench.errors import InvalidArgument, ModelError

if TYPE_CHECKING:
    from pathlib import Path

LEVELS: Final = ("high", "medium", "low")
CHURNED: Final = "churned"
NONE: Final = "none"
"""The action of who is to be left alone."""

Level = Literal["high", "medium", "low", "churned"]
_Share = Annotated[float, Field(ge=0, le=1)]
_PARTS: Final = 1 << 53


class Capacity(BaseModel):
    """How many people can be cared for: shares of the scored population, most at risk first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    high: _Share = 0.05
    medium: _Share = 0.15

    @model_validator(mode="after")
    def _together(self) -> Capacity:
        if self.high + self.medium > 1:
            raise ValueError(f"shares of people are at most 1 together, not {self.high} and {self.medium}")
        return self


class Costs(BaseModel):
    """From what price on an action pays: USD of the actions of two levels, and the share of leavers they keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    high: Annotated[float, Field(gt=0)]
    medium: Annotated[float, Field(gt=0)]
    saves: Annotated[float, Field(gt=0, le=1)] = 0.1


class Policy(BaseModel):
    """What is done for whom.

    Attributes:
        name: By which its recommendations are logged; another name draws another holdout.
        holdout: Share of people for whom nothing is done.
        capacity: Where levels come from how many can be cared for.
        costs: Where they come from what it costs and saves; goes before the capacity.
        actions: Per level, of which one is drawn per person; none for who is left alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "default"
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.1
    capacity: Capacity = Capacity()
    costs: Costs | None = None
    actions: dict[Level, tuple[Annotated[str, Field(min_length=1)], ...]]

    @property
    def version(self) -> str:
        """Its name, and six hex digits of all that it says."""
        return f"{self.name}-{hashlib.blake2b(self.model_dump_json().encode(), digest_size=3).hexdigest()}"

    def levels(self, risk: pd.Series, ltv: pd.Series | None = None) -> pd.Series:
        """Sort people into levels.

        Args:
            risk: Probability of churning (index `user_id`).
            ltv: Predicted USD, which levels by cost need.

        Raises:
            ModelError: Levels come from costs, and there is no LTV.
        """
        if self.costs is None:
            return by_capacity(risk, self.capacity)
        if ltv is None or ltv.isna().any():
            raise ModelError("levels by cost need predicted LTV: train the ltv model, or use capacity in the policy")
        worth = risk * self.costs.saves * ltv
        level = np.where(worth > self.costs.high, "high", np.where(worth > self.costs.medium, "medium", "low"))
        return pd.Series(level.astype(object), index=risk.index, name="risk_level")

    def recommend(self, levels: pd.Series) -> pd.DataFrame:
        """Draw what is done for each person: always the same for the same person, level and policy.

        Returns:
            Rows as in `levels`: `recommended_action` (`none` for who is left alone), `held_out` (by chance, from an
            action that the level has), `propensity` (with which this, or being left alone, was drawn; 1 where the level
            has no action).
        """
        rows = [self._draw(str(user), str(level)) for user, level in zip(levels.index, levels, strict=True)]
        return pd.DataFrame(rows, index=levels.index, columns=["recommended_action", "held_out", "propensity"])

    def _draw(self, user_id: str, level: str) -> tuple[str, bool, float]:
        choices = self.actions.get(level, ())  # type: ignore[call-overload] # any text has no actions
        if not choices:
            return NONE, False, 1.0
        if _chance(f"{self.name}/holdout/{user_id}") < self.holdout:
            return NONE, True, self.holdout
        drawn = choices[int(_chance(f"{self.name}/{level}/{user_id}") * len(choices))]
        return drawn, False, (1 - self.holdout) / len(choices)


def policy(path: Path | None = None) -> Policy:
    """Read a policy; the default one where no file is given.

    Raises:
        InvalidArgument: The file cannot be read, or says something that a policy does not know.
    """
    default = resources.files("workbench.models").joinpath("policies/default.yaml")
    try:
        text = default.read_text(encoding="utf-8") if path is None else path.read_text(encoding="utf-8")
        fields: Any = yaml.safe_load(text)
        return Policy.model_validate(fields)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidArgument(f"cannot read the policy {path}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'policy'}: {fault['msg']}" for fault in error.errors()
        )
        raise InvalidArgument(f"the policy {path} says what a policy does not know: {faults}") from error


def by_capacity(risk: pd.Series, capacity: Capacity) -> pd.Series:
    """Sort people into levels by how many can be cared for; of equal risks the lesser `user_id` comes first.

    >>> by_capacity(pd.Series({"ann": 0.2, "bob": 0.9}), Capacity(high=0.5, medium=0.0)).to_dict()
    {'ann': 'low', 'bob': 'high'}
    """
    order = np.lexsort((np.asarray(risk.index, dtype=str), -risk.to_numpy()))
    place = np.empty(len(risk), dtype=np.int64)
    place[order] = np.arange(len(risk))
    bounds = np.floor(len(risk) * np.cumsum([capacity.high, capacity.medium]) + 1e-9)
    return pd.Series(np.array(LEVELS, dtype=object)[np.digitize(place, bounds)], index=risk.index, name="risk_level")


def _chance(words: str) -> float:
    """Return a number in [0, 1) that is always the same for the same words."""
    digest = hashlib.blake2b(words.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) / _PARTS
