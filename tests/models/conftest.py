"""A small community with a rhythm of its own: some stay, some leave, the lively ones tend to stay."""

from datetime import timedelta

import numpy as np
import pytest

from workbench.models.examples import history
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

DAYS = 120
END = START + timedelta(days=DAYS)


def lives(people, *, days=DAYS, seed=1):
    """Draw when each person came by, in days."""
    rng = np.random.default_rng(seed)
    for number in range(people):
        rate = rng.lognormal(-0.7, 0.9)
        joined = rng.uniform(0, days * 0.6)
        left = min(days, joined + rng.exponential(30 + 60 * rate))
        visits = np.sort(rng.uniform(joined, left, rng.poisson(rate * (left - joined)) + 1))
        yield f"u{number:03}", visits, rng


def community(people, *, days=DAYS, seed=1):
    """Make a store in which everybody writes in every visit, and now and then asks the AI or joins a raid."""
    written, asked, raided, ended, bought = {}, {}, {}, {}, {}
    for user, visits, rng in lives(people, days=days, seed=seed):
        written[user] = " ".join(f"message_sent:{at:.6f}" for at in visits)
        ended[user] = " ".join(f"session_ended:{at + 0.0001:.6f}" for at in visits)
        asked[user] = " ".join(f"ai_interaction:{at:.6f}" for at in visits[rng.random(len(visits)) < 0.4])
        buyer = int(user[1:]) % 3 == 0
        bought[user] = " ".join(f"purchase:{at:.6f}" for at in visits[rng.random(len(visits)) < 0.3 * buyer])
        raided[user] = " ".join(f"raid_joined:{at:.6f}" for at in visits[rng.random(len(visits)) < 0.2])
    day = timedelta(days=1)
    events = (
        events_of(written, unit=day, platform="discord")
        + events_of(ended, unit=day, platform="discord", properties={"session_duration": 900})
        + events_of(asked, unit=day, platform="web", properties={"user_satisfaction": 0.75})
        + events_of(bought, unit=day, platform="web", value=12.5)
        + events_of(raided, unit=day, platform="discord", raid_id="r1")
    )
    return MemoryStore(stored(events))


@pytest.fixture(scope="session")
def snapshot():
    return community(400).snapshot()


@pytest.fixture(scope="session")
def examples(snapshot):
    """Labelled examples of two cutoffs, apart enough to learn from the first and judge by the second."""
    seen = history(snapshot, cutoff=END)
    early, late = END - timedelta(days=56), END - timedelta(days=28)
    return seen.examples([early]), seen.examples([late])


@pytest.fixture(scope="session")
def trained(snapshot, tmp_path_factory):
    """A training of all models on the whole community, and the registry it was published to."""
    from workbench.models.registry import Registry  # noqa: PLC0415
    from workbench.models.train import train  # noqa: PLC0415

    registry = Registry(tmp_path_factory.mktemp("trained") / "models")
    return train(snapshot, cutoff=END, registry=registry), registry
