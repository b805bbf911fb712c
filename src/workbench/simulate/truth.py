"""The ground truth: what really drives the community, for judging what a model found."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.simulate import effects
from workbench.simulate.columns import numbered, raid_ids
from workbench.simulate.people import LANGUAGES, NEVER, SOURCES, VARIANTS
from workbench.simulate.plan import DAY, PLATFORMS, moment
from workbench.simulate.raids import SLOTS
from workbench.simulate.visits import EXPERIMENT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.simulate.delivery import Delivery
    from workbench.simulate.money import Wallets
    from workbench.simulate.people import People
    from workbench.simulate.plan import Array, Plan
    from workbench.simulate.raids import Raids

SEGMENTS: Final = ("lurker", "casual", "regular", "core")
SEGMENT_BOUNDS: Final = (0.12, 0.4, 1.2)
"""Sessions per day at which the next segment begins."""

_INSTANT: Final = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Truth:
    """What is true of a simulated community; `docs/simulator.md` explains every column.

    Attributes:
        users: One row per person who ever joined.
        raids: One row per raid.
        facts: Seed, coefficients, dates and counts, as plain JSON types.
    """

    users: pa.Table
    raids: pa.Table
    facts: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write `users.parquet`, `raids.parquet` and `truth.json` into an existing folder."""
        pq.write_table(self.users, folder / "users.parquet", compression="zstd")
        pq.write_table(self.raids, folder / "raids.parquet", compression="zstd")
        text = json.dumps(self.facts, indent=2) + "\n"
        (folder / "truth.json").write_text(text, encoding="utf-8")


def users_truth(plan: Plan, crowd: People, wallets: Wallets, user_ids: pa.Array) -> pa.Table:
    """Tabulate the people."""
    leaves = plan.midnight(0) + (crowd.last_day + 1) * DAY
    end = plan.midnight(plan.days)
    member = crowd.platform_share > 0
    return pa.table(
        {
            "user_id": user_ids,
            "segment": pa.array(SEGMENTS).take(pa.array(np.digitize(crowd.sessions_per_day, SEGMENT_BOUNDS))),
            "source": pa.array(SOURCES).take(pa.array(crowd.source)),
            "variant": pa.array(VARIANTS).take(pa.array(crowd.variant, mask=crowd.variant < 0)),
            "language": pa.array(LANGUAGES).take(pa.array(crowd.language)),
            "utc_offset_hours": crowd.utc_offset_hours,
            "platforms": _platforms(member),
            "joined_at": pa.array(crowd.joined_at, _INSTANT),
            "activity": crowd.activity,
            "mood": crowd.mood,
            "raid_spirit": crowd.raid_spirit,
            "ai_satisfaction": crowd.ai_satisfaction,
            "extra_platforms": member.sum(axis=1) - 1,
            "activated": crowd.speaks_at < NEVER,
            "activation_probability": crowd.activation_probability,
            "first_message_at": pa.array(crowd.speaks_at, mask=crowd.speaks_at >= end).cast(_INSTANT),
            "wallet_connected_at": pa.array(wallets.connected_at, mask=wallets.connected_at == NEVER).cast(_INSTANT),
            "sessions_per_day": crowd.sessions_per_day,
            "messages_per_session": crowd.messages_per_session,
            "purchases_per_session": crowd.purchases_per_session,
            "mean_purchase_usd": crowd.mean_purchase_usd,
            "daily_hazard": crowd.daily_hazard,
            "first_nights_hazard": crowd.first_nights_hazard,
            "churned": leaves < end,
            "churned_at": pa.array(leaves, _INSTANT),
        }
    )


def _platforms(member: Array) -> pa.Array:
    """Name the platforms of each person, in the order of `PLATFORMS`, joined by blanks."""
    mask = member @ (1 << np.arange(len(PLATFORMS)))
    names = [" ".join(name for bit, name in enumerate(PLATFORMS) if row >> bit & 1) for row in range(16)]
    return pa.array(names).take(pa.array(mask))


def raids_truth(plan: Plan, days: Sequence[Raids], user_ids: pa.Array) -> pa.Table:
    """Tabulate the raids of all days."""

    def column(name: str) -> Array:
        return np.concatenate([getattr(called, name) for called in days])

    at = column("at")
    drivers = {
        f"effect_{name}": np.concatenate([called.logit[name] for called in days])
        for name in ("slot", "duration", "participants", "reward")
    }
    return pa.table(
        {
            "raid_id": raid_ids(column("number")),
            "started_at": pa.array(at, _INSTANT),
            "slot": pa.array(SLOTS).take(pa.array((at % DAY) // (DAY // 4))),
            "platform": pa.array(PLATFORMS).take(pa.array(column("platform"))),
            "host": user_ids.take(pa.array(column("host"))),
            "duration_min": column("duration_min"),
            "participants": column("participants"),
            "reward_xp": column("reward_xp"),
            **drivers,
            "success_probability": column("probability"),
            "success": column("success"),
        }
    )


def facts(plan: Plan, delivery: Delivery, *, events: int, users: pa.Table) -> dict[str, Any]:
    """Collect everything that is one number or one date."""
    campaign = [plan.midnight(plan.campaign.start), plan.midnight(plan.campaign.stop)]
    return {
        "users": plan.users,
        "days": plan.days,
        "seed": plan.seed,
        "until": plan.until.isoformat(),
        "since": moment(plan.midnight(0)).isoformat(),
        "events": events,
        "distinct_events": events - delivery.duplicates,
        "duplicates": delivery.duplicates,
        "late": delivery.late,
        "churned_users": int(pc.sum(users["churned"]).as_py() or 0),
        "outage": _span(*plan.outage),
        "degraded": {**_span(*plan.degraded), "error_rate": effects.ERROR_RATE_DEGRADED},
        "error_rate": effects.ERROR_RATE,
        "campaign": {**_span(*campaign), "users": int(pc.sum(pc.equal(users["source"], "campaign")).as_py() or 0)},
        "experiment": {
            "experiment": EXPERIMENT,
            "since": moment(plan.midnight(plan.experiment_day)).isoformat(),
            "design": {"control": 0.5, "treatment": 0.5},
            "metric": "first_message",
            "effect_logit": effects.ACTIVATION["treatment"],
        },
        "prompt": {"v4_since": moment(plan.midnight(plan.prompt_day)).isoformat(), "quality": effects.PROMPT_QUALITY},
        "activation": effects.ACTIVATION,
        "churn": {
            **effects.CHURN,
            "first_nights": effects.FIRST_NIGHTS,
            "first_nights_logit": effects.FIRST_NIGHTS_LOGIT,
            "fade_days": effects.FADE_DAYS,
            "fade_to": effects.FADE_TO,
        },
        "raid": {**effects.RAID, "slots": effects.RAID_SLOTS},
        "wallet": effects.WALLET,
    }


def _span(start: int, end: int) -> dict[str, Any]:
    """Write a range of time, end exclusive."""
    return {"since": moment(start).isoformat(), "until": moment(end).isoformat()}


def ids_of(plan: Plan) -> pa.Array:
    """Name everybody `u000000` and on, in the order of joining."""
    return numbered("u", np.arange(plan.users), digits=6)
