"""When an event was on the clocks of a zone, as a number that both databases cut into days and hours alike."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

    from workbench.store.base import Engine

_CLOCK: Final[dict[Engine, str]] = {
    "duckdb": "epoch_us(timezone($tz, occurred_at))",
    "clickhouse": "(toUnixTimestamp64Micro(occurred_at) + 1000000 * timeZoneOffset(toTimeZone(occurred_at, $tz)))",
}
MICRO: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)


def start(engine: Engine, width: timedelta) -> str:
    """Write the start of the day or hour of an event: microseconds on the clocks of `$tz` since 1970 on them."""
    clock, length = _CLOCK[engine], width // MICRO
    return f"({clock} - {clock} % {length})"


def shown(micros: pd.Series[Any]) -> pd.Series[pd.Timestamp]:
    """Turn such starts into naive times."""
    return micros.astype("int64").astype("datetime64[us]")
