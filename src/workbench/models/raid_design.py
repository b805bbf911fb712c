"""Raids as rows of numbers: what may drive success, in the columns of a regression."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.metrics import queries
from workbench.metrics.raid_facts import raid_facts

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

SLOTS: Final = ("night", "morning", "afternoon", "evening")
SLOT_HOURS: Final = 6
"""Slots are quarters of the day, the first from midnight, in the time zone asked for."""

REFERENCE_PARTICIPANTS: Final = 15
REFERENCE_REWARD: Final = 100
EXPOSURE_DAYS: Final = 7
WEEKEND: Final = 5


def ended_raids(snapshot: Snapshot, *, until: datetime, tz: str = "UTC") -> pd.DataFrame:
    """Gather the raids that were over before an instant.

    Returns:
        One row per raid with an outcome, in the order of their starts: `raid_id`, `started_at`, `platform`, `slot`,
        `weekend`, `duration_min`, `participants`, `reward_xp`, `exposure` (mean number of people active per day on its
        platform in the 7 days before: who could have come) and `success`.
    """
    facts = raid_facts(snapshot, until=until, now=until, tz=tz).frame
    over = facts[(facts["ended_at"] < until) & facts["success"].notna() & (facts["duration_min"] > 0)]
    raids = over[["raid_id", "started_at", "duration_min", "participants", "reward_xp"]].assign(
        platform=over["platform"].astype("object").where(over["platform"].notna(), "unknown"),
        slot=np.array(SLOTS, dtype=object)[over["hour"].to_numpy(dtype="int64") // SLOT_HOURS],
        weekend=(over["weekday"] >= WEEKEND).astype("float64"),
        success=over["success"].astype("float64"),
    )
    begins = raids["started_at"].dt.tz_convert(tz).dt.tz_localize(None).dt.normalize()
    return raids.assign(exposure=_exposure(snapshot, raids["platform"], begins, until=until, tz=tz)).reset_index(
        drop=True
    )


def exposure_now(snapshot: Snapshot, platform: str | None, *, until: datetime, tz: str = "UTC") -> float:
    """Return the mean number of people active per day in the 7 days before, on a platform or on the largest."""
    daily = _platform_days(snapshot, until=until, tz=tz)
    last = pd.Timestamp(until).tz_convert(tz).tz_localize(None).normalize()
    recent = daily[(daily.index >= last - timedelta(days=EXPOSURE_DAYS)) & (daily.index < last)]
    if recent.empty:
        return 0.0
    means = recent.sum() / EXPOSURE_DAYS
    return float(means.max() if platform is None else means.get(platform, 0.0))


def _platform_days(snapshot: Snapshot, *, until: datetime, tz: str) -> pd.DataFrame:
    """Return people active by day (rows, none left out) and platform (columns)."""
    sql = queries.text("platform_days", snapshot.engine, room="models")
    rows = snapshot.query(sql, {"tz": tz, "until": until}).to_pandas()
    if rows.empty:
        return pd.DataFrame(index=pd.DatetimeIndex([]))
    table = rows.assign(day=pd.to_datetime(rows["day"])).pivot_table(
        index="day", columns="platform", values="active_users", fill_value=0
    )
    whole: pd.DataFrame = table.reindex(pd.date_range(table.index[0], table.index[-1]), fill_value=0)
    return whole


def _exposure(
    snapshot: Snapshot, platform: pd.Series, begins: pd.Series, *, until: datetime, tz: str
) -> NDArray[np.float64]:
    daily = _platform_days(snapshot, until=until, tz=tz)
    before = daily.rolling(EXPOSURE_DAYS, min_periods=1).mean().shift(1)  # the day of the raid is not over
    stacked = before.stack()
    wanted = pd.MultiIndex.from_arrays([begins, platform])
    found = stacked.reindex(wanted).to_numpy(dtype="float64")
    known = found[np.isfinite(found) & (found > 0)]
    return np.where(np.isfinite(found) & (found > 0), found, np.median(known) if len(known) else 1.0)


@dataclass(frozen=True, kw_only=True)
class Design:
    """How raids become columns; what it was learnt from is not needed any more.

    Attributes:
        platforms: Those seen.
        minutes: Reference duration: the geometric mean of those seen.
        exposure: Reference exposure, likewise.
        participants: Whether participants are a column: without, effects go through them as well.
    """

    platforms: tuple[str, ...]
    minutes: float
    exposure: float
    participants: bool = True

    @property
    def groups(self) -> dict[str, list[str]]:
        """The groups of columns that are shrunk together."""
        return {
            "slot": [f"slot {slot}" for slot in SLOTS],
            "platform": [f"platform {platform}" for platform in self.platforms],
        }

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        last = ["log participants"] if self.participants else []
        plain = ["base", "log2 duration", "log2 duration squared", "log reward", "log exposure", "weekend", *last]
        return [*plain, *self.groups["slot"], *self.groups["platform"]]

    def matrix(self, raids: pd.DataFrame) -> NDArray[np.float64]:
        """Return the columns of raids, in the order of `names`."""
        minutes = np.log2(raids["duration_min"].to_numpy(dtype="float64") / self.minutes)
        plain = [
            np.ones(len(raids)),
            minutes,
            minutes**2,
            _logs(raids["reward_xp"], REFERENCE_REWARD),
            _logs(raids["exposure"], self.exposure),
            raids["weekend"].to_numpy(dtype="float64"),
            *([_logs(raids["participants"], REFERENCE_PARTICIPANTS)] if self.participants else []),
        ]
        slots = [(raids["slot"] == slot).to_numpy(dtype="float64") for slot in SLOTS]
        platforms = [(raids["platform"] == platform).to_numpy(dtype="float64") for platform in self.platforms]
        return np.column_stack([*plain, *slots, *platforms])


def design(raids: pd.DataFrame, *, participants: bool = True) -> Design:
    """Learn how to write these raids, and others, as columns."""
    return Design(
        platforms=tuple(sorted(raids["platform"].unique())),
        minutes=float(np.exp(np.log(raids["duration_min"].astype("float64")).mean())),
        exposure=float(np.exp(np.log(raids["exposure"].clip(lower=1)).mean())),
        participants=participants,
    )


def _logs(values: pd.Series, reference: float) -> NDArray[np.float64]:
    """Return ln(value / reference); what is unknown counts as the median of what is known."""
    known = values.astype("float64")
    filled = known.fillna(known.median() if known.notna().any() else reference).clip(lower=1)
    return np.asarray(np.log(filled / reference), dtype="float64")
