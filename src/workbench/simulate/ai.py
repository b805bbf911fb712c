"""What machines answer: AI interactions with latency and tokens, and plain requests with errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from workbench.simulate import effects
from workbench.simulate.columns import Rows, chosen, objects, sometimes

if TYPE_CHECKING:
    from workbench.simulate.people import People
    from workbench.simulate.plan import Array, Plan
    from workbench.simulate.visits import Visits

MODELS: Final = ("atlas-small", "atlas-large", "nimbus-1")
MODEL_SHARES: Final = (0.55, 0.25, 0.2)
MODEL_TTFT_MS: Final = np.array([280.0, 620.0, 450.0])
MODEL_TOKEN_MS: Final = np.array([7.0, 18.0, 11.0])
MODEL_QUALITY: Final = np.array([0.70, 0.82, 0.76])
"""Per model: median time to first token, time per output token, mean quality under prompt `v3`."""

AI_ENDPOINTS: Final = ("chat", "summarize", "draft_reply", "moderate")
AI_ERRORS: Final = ("timeout", "rate_limited", "upstream_error")

ENDPOINTS: Final = ("/feed", "/profile", "/raids", "/leaderboard", "/wallet", "/search")
ENDPOINT_SHARES: Final = (0.38, 0.16, 0.18, 0.12, 0.06, 0.10)
ENDPOINT_MS: Final = np.array([85.0, 40.0, 120.0, 160.0, 220.0, 310.0])
REQUESTS_PER_SESSION: Final = 1.1

CACHED_SHARE: Final = 0.55
RATED_SHARE: Final = 0.35
"""Shares of interactions with a cached prompt prefix, and of answers that the person rated."""

_SLOW_MS: Final = 5_000


def interactions(plan: Plan, day: int, crowd: People, seen: Visits) -> Rows:
    """Let people ask the AI agents. A failed interaction has an `error` and neither output nor quality."""
    rng = plan.rng("ai", day)
    visit = np.repeat(np.arange(len(seen)), rng.poisson(crowd.asks_per_session[seen.user]))
    user, at, n = seen.user[visit], seen.moments(rng, visit), len(visit)
    model = rng.choice(len(MODELS), n, p=MODEL_SHARES)
    failed = rng.random(n) < _error_rate(plan, at)
    output_tokens = rng.lognormal(4.9, 0.7, n).clip(1, 4096).astype(np.int64)
    ttft_ms = MODEL_TTFT_MS[model] * rng.lognormal(0, 0.35, n)
    response_ms = ttft_ms + output_tokens * MODEL_TOKEN_MS[model] * rng.lognormal(0, 0.2, n)
    response_ms = np.where(failed, rng.choice([250.0, 30_000.0], n), response_ms)
    prompt = int(day >= plan.prompt_day)
    quality = (MODEL_QUALITY[model] + effects.PROMPT_QUALITY * prompt + 0.1 * rng.standard_normal(n)).clip(0, 1)
    properties = objects(
        model=pa.array(MODELS).take(pa.array(model)),
        endpoint=chosen(rng, AI_ENDPOINTS, n, p=[0.7, 0.12, 0.13, 0.05]),
        prompt_version=pa.array([("v3", "v4")[prompt]] * n, pa.string()),
        response_time_ms=response_ms.astype(np.int64),
        ttft_ms=sometimes(~failed, pa.array(ttft_ms.astype(np.int64))),
        **_tokens(rng, output_tokens, failed),
        quality_score=sometimes(~failed, pa.array(np.round(quality, 3))),
        user_satisfaction=_satisfaction(rng, crowd.ai_satisfaction[user], quality, response_ms, ~failed),
        context_relevance=sometimes(~failed, pa.array(np.round(rng.beta(8, 2.5, n), 3))),
        error=sometimes(failed, chosen(rng, AI_ERRORS, n, p=[0.5, 0.3, 0.2])),
    )
    return Rows("ai_interaction", user, at, seen.platform[visit], properties, session=seen.number[visit])


def _tokens(rng: np.random.Generator, output_tokens: Array, failed: Array) -> dict[str, Any]:
    """Count tokens: a cached prefix is part of the input, and a failed answer has no output."""
    n = len(output_tokens)
    input_tokens = rng.lognormal(6.4, 0.6, n).clip(30, 32_000).astype(np.int64)
    cached = (input_tokens * 0.8 * (rng.random(n) < CACHED_SHARE)).astype(np.int64)
    return {
        "input_tokens": input_tokens,
        "cached_tokens": cached,
        "output_tokens": np.where(failed, 0, output_tokens),
    }


def _satisfaction(rng: np.random.Generator, pleased: Array, quality: Array, response_ms: Array, ok: Array) -> pa.Array:
    """Ask about every third time: quarters in [0, 1], by the person, the quality, and whether it took too long."""
    n = len(pleased)
    felt = (
        0.62 + 0.17 * pleased + 0.8 * (quality - 0.75) - 0.15 * (response_ms > _SLOW_MS) + 0.12 * rng.standard_normal(n)
    )
    return sometimes(ok & (rng.random(n) < RATED_SHARE), pa.array(np.round(felt.clip(0, 1) * 4) / 4))


def requests(plan: Plan, day: int, seen: Visits) -> Rows:
    """Load pages and data: response times by endpoint, and a status of 500, 503 or 429 for what fails."""
    rng = plan.rng("requests", day)
    visit = np.repeat(np.arange(len(seen)), rng.poisson(REQUESTS_PER_SESSION, len(seen)))
    at, n = seen.moments(rng, visit), len(visit)
    endpoint = rng.choice(len(ENDPOINTS), n, p=ENDPOINT_SHARES)
    failed = rng.random(n) < _error_rate(plan, at)
    start, end = plan.degraded
    slow = np.where((at >= start) & (at < end), 8.0, 1.0)
    properties = objects(
        endpoint=pa.array(ENDPOINTS).take(pa.array(endpoint)),
        response_time_ms=np.round(ENDPOINT_MS[endpoint] * slow * rng.lognormal(0, 0.45, n), 1),
        status=np.where(failed, rng.choice([500, 503, 429], n, p=[0.5, 0.35, 0.15]), 200),
    )
    return Rows("request", seen.user[visit], at, seen.platform[visit], properties, session=seen.number[visit])


def _error_rate(plan: Plan, at: Array) -> Array:
    start, end = plan.degraded
    return np.where((at >= start) & (at < end), effects.ERROR_RATE_DEGRADED, effects.ERROR_RATE)
