"""What goes wrong with ClickHouse, in words that say what to do, and without telling how to log in."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from workbench.errors import StoreAway, StoreError, StoreFull, StoreNotFound, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.store.clickhouse_client import Address

OLDEST: Final = (25, 8)
"""The first version of servers that this is written for."""

_REFUSED: Final = frozenset({192, 193, 194, 516})
_NOT_THERE: Final = {81: "the database", 60: "a table"}
_MAY_NOT: Final = frozenset({164, 497})
_NO_SPACE: Final = 243
_LATER: Final = frozenset({3, 159, 202, 203, 209, 210, 236, 241, 242, 252, 285, 286, 289, 319, 425, 999})
"""Time-outs, too many queries or parts, a memory limit, a replica read-only or behind, a keeper away: it may pass."""

_GRANT: Final = "GRANT SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE ON {database}.* TO {user}"


@contextmanager
def named(where: Address) -> Iterator[None]:
    """Say what went wrong with ClickHouse.

    Raises:
        StoreNotFound: A database or table is missing.
        StoreAway: It does not answer, or has too much to do; trying again may help.
        StoreFull: Its disk is full.
        StoreError: Anything else.
    """
    from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError  # noqa: PLC0415 - an extra
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the extra

    try:
        yield
    except ClickHouseError as error:
        code = getattr(error, "code", None)
        if isinstance(error, OperationalError) and code is None:
            raise _away(where, error) from None
        raise _of_code(where, code, _told(str(error), where)) from None
    except (HTTPError, OSError, pa.ArrowException) as error:
        raise _away(where, error) from None


def _away(where: Address, error: Exception) -> StoreAway:
    told = _told(str(error) or type(error).__name__, where)
    return StoreAway(f"{where} does not answer: check host and port, and that it runs ({told})")


def _of_code(where: Address, code: int | None, told: str) -> WorkbenchError:
    if code in _NOT_THERE:
        return StoreNotFound(f"{where} has not {_NOT_THERE[code]} that was asked for: {told}")
    if code in _REFUSED:
        return StoreError(f"{where} refuses the user {where.user!r} or the password: check both")
    if code in _MAY_NOT:
        grant = _GRANT.format(database=where.database, user=where.user)
        return StoreError(f"{where} does not let the user {where.user!r} do that: {grant} ({told})")
    if code == _NO_SPACE:
        return StoreFull(f"the disk of {where} is full; nothing of the batch counts: {told}")
    return (StoreAway if code in _LATER else StoreError)(f"{where} says: {told}")


def refuse_old(where: Address, version: str) -> None:
    """Refuse a server that is too old.

    Raises:
        StoreError: It is.
    """
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise StoreError(f"{where} is ClickHouse {version}; this Workbench needs {oldest} or newer: upgrade the server")


def _told(message: str, where: Address) -> str:
    first = " ".join(message.split())[:300]
    return first.replace(where.password, "…") if where.password else first
