"""Where live numbers are, as a setting says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument, StoreError, StoreNotFound
from workbench.store.live import LiveStore
from workbench.store.live_sqlite import FILE, SQLiteBlobs
from workbench.store.live_state import Policy

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.config import Settings
    from workbench.store.base import Place
    from workbench.store.clickhouse_live import ViewsLive

BESIDE: Final = "sqlite"
"""The setting for a file beside the lake."""


VIEWS: Final = "views"
"""The setting for what ClickHouse adds up itself."""


def of_settings(settings: Settings, place: Place, *, create: bool = True) -> LiveStore | ViewsLive:
    """Open the live numbers of a store as the settings say; see `open_live`.

    Raises:
        InvalidArgument: They are to be views, and the store is no ClickHouse.
    """
    policy = Policy(
        lateness=settings.live_lateness_seconds,
        horizon=settings.live_horizon_seconds,
        idle=settings.live_idle_seconds,
    )
    if settings.live == VIEWS:
        from workbench.store.clickhouse import ClickHouseStore  # noqa: PLC0415 - only a cluster needs it
        from workbench.store.clickhouse_live import ViewsLive  # noqa: PLC0415

        if not isinstance(place, ClickHouseStore):
            raise InvalidArgument(f"live numbers in views need a store in ClickHouse, and this is {place.name}")
        return ViewsLive(place, policy)
    return open_live(settings.live, lake=place.path, policy=policy, memory_mb=settings.live_memory_mb, create=create)


_REDIS: Final = ("redis://", "rediss://", "unix://")


def open_live(
    where: str, *, lake: Path, policy: Policy | None = None, memory_mb: float = 512, create: bool = True
) -> LiveStore:
    """Open the live numbers of a lake.

    Args:
        where: `sqlite` for a file beside the lake, or `redis://host:6379/0`.
        lake: Folder of the lake.
        policy: How event time is read; as the store did before, if not given.
        memory_mb: Most memory to take in Redis.
        create: Make the file where there is none.

    Raises:
        StoreNotFound: There is no file, and `create` is false.
        StoreError: It cannot be opened, or Redis does not answer.
        InvalidArgument: `where` is neither.
    """
    if where == BESIDE:
        file = lake / FILE
        if not file.is_file() and not create:
            raise StoreNotFound(f"no live numbers at {file}: `workbench stream` keeps them while it runs")
        lake.mkdir(parents=True, exist_ok=True)
        return LiveStore(SQLiteBlobs(file), policy)
    if not where.startswith(_REDIS):
        raise InvalidArgument(
            "live numbers are kept in 'sqlite', beside the lake, in redis://host:6379/0, or in 'views' of ClickHouse"
        )
    try:
        from workbench.store.live_redis import RedisBlobs  # noqa: PLC0415 - an extra: only a cluster needs it
    except ModuleNotFoundError as error:
        raise StoreError("live numbers in Redis need its client: install workbench[redis]") from error
    return LiveStore(RedisBlobs(where, memory_mb=memory_mb), policy)
