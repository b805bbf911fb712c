"""What a lake has lost, in `<lake>/losses.json`: written by `doctor --repair`, read by everybody who opens the lake."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from workbench.errors import LostEventsWarning, StoreCorrupt
from workbench.store.commit_log import write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

Positions: TypeAlias = "Callable[[Iterable[str]], dict[str, int]]"

FILE: Final = "losses.json"


@dataclass(frozen=True, slots=True)
class Loss:
    """A file of the lake that was taken out, since its bytes are gone.

    Attributes:
        name: The data file, or the entry of the log.
        reason: What was wrong with it.
        noted_at: When it was taken out; ISO 8601, UTC.
        rows: Events in it, repeated ones included; `None` where that is not known.
        since: When its first event occurred; ISO 8601, UTC; `None` where that is not known.
        until: The same of its last event.
        positions: Per source where the commit that added it had come to, as far as the log tells.
        recovered: Events of it that are in the lake again.
        closed: Whether nothing of it is missing any more.
    """

    name: str
    reason: str
    noted_at: str
    rows: int | None = None
    since: str | None = None
    until: str | None = None
    positions: dict[str, int] = field(default_factory=dict)
    recovered: int = 0
    closed: bool = False

    @property
    def missing(self) -> int | None:
        """Events that are still missing; `None` where that is not known."""
        if self.closed:
            return 0
        return None if self.rows is None else max(0, self.rows - self.recovered)

    def summary(self) -> str:
        """Say in one line what is missing.

        >>> Loss("month=2026-01/a.parquet", "missing", "2026-02-01", 9, "2026-01-05", "2026-01-07").summary()
        '9 events from 2026-01-05 to 2026-01-07 are lost (month=2026-01/a.parquet: missing)'
        """
        count = "an unknown number of events" if self.missing is None else f"{self.missing:,} events"
        days = f" from {self.since[:10]} to {self.until[:10]}" if self.since and self.until else ""
        sources = ", ".join(f"{source} before {end:,}" for source, end in sorted(self.positions.items()))
        verb = "may be" if self.missing is None else "are"
        return f"{count}{days}{f' of {sources}' if sources else ''} {verb} lost ({self.name}: {self.reason})"


def read(lake: Path) -> list[Loss]:
    """List what was lost, the closed ones included, in the order in which it was noted.

    Raises:
        StoreCorrupt: The list itself cannot be read.
    """
    path = lake / FILE
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    try:
        return [Loss(**loss) for loss in json.loads(content)]
    except (ValueError, TypeError) as error:
        raise StoreCorrupt(
            f"{path} cannot be read: {error}; restore it, or delete it to forget what it says"
        ) from error


def write(lake: Path, losses: Sequence[Loss]) -> None:
    """Keep a list of losses, in place of the one before."""
    write_durably(lake / FILE, json.dumps([asdict(loss) for loss in losses], indent=1).encode())


def recovered(losses: Sequence[Loss], events: int) -> list[Loss]:
    """Credit events that came back, the oldest loss first; one of which nothing is missing is closed.

    >>> losses = [Loss("a", "missing", "", 5), Loss("b", "missing", "", 5)]
    >>> [(loss.missing, loss.closed) for loss in recovered(losses, 7)]
    [(0, True), (3, False)]
    """
    credited = []
    for loss in losses:
        share = min(events, loss.missing or 0)
        events -= share
        done = loss.rows is not None and loss.recovered + share >= loss.rows
        credited.append(replace(loss, recovered=loss.recovered + share, closed=loss.closed or done))
    return credited


def open_losses(lake: Path, positions: Positions) -> list[Loss]:
    """List what is still missing.

    Args:
        lake: Its folder.
        positions: Returns where each of some sources has come to: what a damaged log lost is there again, once its
            source was read up to there again.
    """
    found = [loss for loss in read(lake) if not loss.closed]
    return [loss for loss in found if loss.rows is not None or _is_behind(loss, positions)]


def warn_of_losses(lake: Path, positions: Positions) -> None:
    """Warn who opens a lake of what is missing in every number of it."""
    found = open_losses(lake, positions)
    if found:
        more = f"; and {len(found) - 1} more" if found[1:] else ""
        warnings.warn(f"{lake}: {found[0].summary()}{more}: see `workbench doctor`", LostEventsWarning, stacklevel=3)


def _is_behind(loss: Loss, positions: Positions) -> bool:
    now = positions(loss.positions)
    return any(now[source] < end for source, end in loss.positions.items())
