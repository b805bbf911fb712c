"""Which store a name is of: the folder of a lake, or the address of a ClickHouse."""

from __future__ import annotations

import difflib
import hashlib
import re
import shlex
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench import config
from workbench.errors import StoreNotFound
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from workbench.config import Settings
    from workbench.store.base import Place

ADDRESSES: Final = ("clickhouse://", "chdb://")
"""How the address of a ClickHouse begins: a server, or the engine in this process."""

_CHDB: Final = "chdb://"
_MEMORY: Final = "chdb://:memory:"


def is_address(where: str | Path) -> bool:
    """Tell whether a name is an address, and not a folder.

    >>> is_address("chdb://data/house"), is_address("data/lake")
    (True, False)
    """
    return str(where).startswith(ADDRESSES)


def is_for_one_process(where: str | Path) -> bool:
    """Tell whether only one process at a time can open it."""
    return str(where).startswith(_CHDB)


def resolved(where: str | Path) -> str:
    """Take a relative folder from the project's, also one in an address."""
    name = str(where)
    if name.startswith(_CHDB) and name != _MEMORY:
        return _CHDB + str(config.resolved(name.removeprefix(_CHDB)))
    return name if is_address(name) else str(config.resolved(name))


def open_store(where: str | Path | None, settings: Settings, *, create: bool = False) -> Place:
    """Open a store by its name; that of the settings when none is given.

    Args:
        where: The folder of a lake, `chdb://folder` or `clickhouse://user:password@host:8443/database?secure=true`.
        settings: What store if none is named, where control state is kept, and for what tables are made.
        create: Make an empty one where there is none.

    Raises:
        StoreNotFound: There is none, and `create` is false.
        StoreTooNew: It was written by a newer Workbench.
        StoreError: The folder holds something else, or no database answers, or it refuses.
        InvalidArgument: It is an address of something else.
    """
    name = _complete(resolved(where or settings.store), resolved(settings.store))
    if not is_address(name):
        return _lake(name, settings, create=create)
    from workbench.store.clickhouse import ClickHouseStore  # noqa: PLC0415 - an extra
    from workbench.store.clickhouse_client import address  # noqa: PLC0415
    from workbench.store.clickhouse_schema import Shape  # noqa: PLC0415

    database = address(name).database
    shape = Shape(
        settings.cluster,
        database=database,
        insert_quorum=settings.insert_quorum,
    )
    return ClickHouseStore(name, create=create, shape=shape, control=control_folder(name, settings))


def _lake(name: str, settings: Settings, *, create: bool) -> LakeStore:
    """Open a lake; where there is none, say what may have been meant and how one is made."""
    try:
        return LakeStore(name, create=create)
    except UnicodeEncodeError as error:
        raise StoreNotFound(f"no lake at {name!r}: a folder's name must be UTF-8") from error
    except StoreNotFound as error:
        own = resolved(settings.store)
        store = "" if name == own else f" --store {shlex.quote(name)}"
        advice = f"ingest a file first, with `workbench ingest FILE{store}`, or make an empty one with create=True"
        similar = _similar(Path(name))
        if similar:
            advice = f"did you mean {similar}? Otherwise {advice}"
        elif name != own and not is_address(own):
            advice = f"{advice}; the setting `store` names {own}"
        raise StoreNotFound(f"no lake at {name}: {advice}") from error


def _similar(path: Path) -> Path | None:
    """Return the lake in the same folder whose name is most like this one, or one inside the folder itself."""
    folders = [
        folder for parent in (path, path.parent) if parent.is_dir() for folder in islice(parent.iterdir(), 1_000)
    ]
    lakes = {folder.name: folder for folder in folders if (folder / "events" / "_delta_log").is_dir()}
    close = difflib.get_close_matches(path.name, lakes, n=1)
    within = [folder for folder in lakes.values() if folder.parent == path]
    return lakes[close[0]] if close else next(iter(within), None)


def without_password(where: str | Path) -> str:
    """Write the name of a store so that it can be shown; it still opens that of the settings.

    >>> without_password("clickhouse://ann:hush@db.example:8443/events?secure=true")
    'clickhouse://db.example:8443/events'
    """
    if not is_address(where) or is_for_one_process(where):
        return str(where)
    from workbench.store.clickhouse_client import address  # noqa: PLC0415

    return str(address(str(where)))


def _complete(name: str, of_settings: str) -> str:
    """Take user, password and options from the settings, where a name is that of their store without them."""
    return of_settings if is_address(name) and name == without_password(of_settings) else name


def control_folder(name: str, settings: Settings) -> Path:
    """Return where the control state of a database is kept: its runs, rejects and saved segments, in a file."""
    if name == _MEMORY:
        return Path(tempfile.mkdtemp(prefix="workbench-"))  # it is as short-lived as the events
    told = re.sub(r"//[^/]*@|\?.*$", "", name)  # the same for every user of a server
    readable = re.sub(r"[^A-Za-z0-9.]+", "-", told)[-60:].strip("-.")
    return config.resolved(settings.control) / f"{readable}-{hashlib.blake2b(told.encode(), digest_size=3).hexdigest()}"
