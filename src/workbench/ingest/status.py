"""What a consumer is told of its limits, and what it tells of how it is doing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much is read at once, and how long things may take.

    Attributes:
        rows: Messages in a batch, at most but for what one fetch brings; as many again may wait behind it.
        nbytes: Bytes of their values.
        seconds: How long a message may wait for others to be written with.
        maintain_rows: Events after which what arrived is sorted.
        maintain_batches: The same in batches, which are a file each.
        stuck_seconds: How long a partition that has messages may give none before the connection is made anew.
        revoke_seconds: How long the group waits for us to write what is complete.
        watch_seconds: How often is looked how far behind we are.
    """

    rows: int = 100_000
    nbytes: int = 64 << 20
    seconds: float = 0.5
    maintain_rows: int = 500_000
    maintain_batches: int = 300
    stuck_seconds: float = 30.0
    revoke_seconds: float = 5.0
    watch_seconds: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the consumer is doing.

    Attributes:
        state: `joining`, `reading`, `waiting` (for messages), `paused` (the store is slower) or `stopped`.
        trouble: Why nothing can be written at the moment.
        read: Messages since the start, rejected ones included.
        events: Of these, events that went into history.
        rejected: Of these, no events, by reason.
        batches: Commits.
        fenced: Times that another process had a partition already.
        reopened: Times that the connection was made anew because a partition was stuck.
        positions: Per partition that is read here, where the store has come to.
        lag: Per partition how many messages behind that is; empty while no broker answers.
        seconds: From the fetch of the last batch until it was committed.
    """

    state: str = "joining"
    trouble: str | None = None
    read: int = 0
    events: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    fenced: int = 0
    reopened: int = 0
    positions: dict[str, int] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
