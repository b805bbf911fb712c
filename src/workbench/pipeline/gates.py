"""Between ingestion and what is computed from it: is the last day as days are, and what becomes of a run if not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.errors import NotEnoughData, QualityError
from workbench.metrics.quality import data_quality

if TYPE_CHECKING:
    from datetime import date

    from workbench.config import Settings
    from workbench.metrics.quality import DataQuality
    from workbench.store.base import Snapshot


def passed(snapshot: Snapshot, settings: Settings, *, until: date, is_today: bool) -> str:
    """Check the last day, and let the run go on or stop it.

    Args:
        snapshot: What is about to be computed from.
        settings: From where on a day is odd, and which checks stop a run.
        until: End of the data, exclusive.
        is_today: Whether the run is about the present: how old the latest event is counts only then.

    Returns:
        What is odd, for the run's pages; empty if nothing is.

    Raises:
        QualityError: A check that is to stop runs found something odd.
    """
    now = datetime.now(UTC).isoformat() if is_today else str(until)
    try:
        found = data_quality(snapshot, until=str(until), now=now, tz=settings.timezone, **settings.quality.bounds)
    except NotEnoughData:  # no day to look at
        return ""
    if stopping := _told(found, only=settings.quality.stop):
        raise QualityError(f"stopped by a check of the data of {found.definition.day}: {stopping}")
    return _told(found)


def _told(found: DataQuality, *, only: tuple[str, ...] | None = None) -> str:
    rows = [row for row in found.odd.itertuples() if only is None or row.check in only]
    return "; ".join(f"{row.check}: {row.told}" for row in rows)
