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
TRANSIENT: Final[dict[int, str]] = {
    3: "UNEXPECTED_END_OF_FILE",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    95: "CANNOT_READ_FROM_SOCKET",
    96: "CANNOT_WRITE_TO_SOCKET",
    159: "TIMEOUT_EXCEEDED",
    173: "CANNOT_ALLOCATE_MEMORY",
    198: "DNS_ERROR",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    234: "NO_REPLICA_HAS_PART",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    244: "UNEXPECTED_ZOOKEEPER_ERROR",
    252: "TOO_MANY_PARTS",
    254: "NO_ACTIVE_REPLICAS",
    255: "TOO_MANY_RETRIES_TO_FETCH_PARTS",
    265: "NO_AVAILABLE_REPLICA",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    289: "REPLICA_IS_NOT_IN_QUORUM",
    297: "SHARD_HAS_NO_CONNECTIONS",
    319: "UNKNOWN_STATUS_OF_INSERT",
    341: "UNFINISHED",
    364: "RECEIVED_ERROR_TOO_MANY_REQUESTS",
    369: "ALL_REPLICAS_ARE_STALE",
    373: "SESSION_IS_LOCKED",
    384: "PART_IS_TEMPORARILY_LOCKED",
    388: "CANNOT_ASSIGN_OPTIMIZE",
    410: "EXTERNAL_SERVER_IS_NOT_RESPONDING",
    416: "REPLICA_STATUS_CHANGED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    499: "S3_ERROR",
    500: "AZURE_BLOB_STORAGE_ERROR",
    517: "CANNOT_ASSIGN_ALTER",
    519: "NO_REMOTE_SHARD_AVAILABLE",
    529: "NOT_A_LEADER",
    568: "RAFT_ERROR",
    574: "DISTRIBUTED_TOO_MANY_PENDING_BYTES",
    692: "TOO_MANY_MUTATIONS",
    700: "USER_SESSION_LIMIT_EXCEEDED",
    722: "ASYNC_LOAD_WAIT_FAILED",
    733: "TABLE_IS_BEING_RESTARTED",
    738: "PART_IS_LOCKED",
    745: "SERVER_OVERLOADED",
    749: "TCP_CONNECTION_LIMIT_REACHED",
    762: "HTTP_CONNECTION_LIMIT_REACHED",
    776: "RESOURCE_LIMIT_EXCEEDED",
    777: "MEMORY_RESERVATION_KILLED",
    778: "MEMORY_RESERVATION_FAILED",
    904: "TOO_MANY_UNAVAILABLE_SHARDS",
    999: "KEEPER_EXCEPTION",
    1000: "POCO_EXCEPTION",
}
"""Codes that a retry may cure, with their names in ClickHouse: a connection, node, replica or Keeper that is down or
restarts; a replica that is behind; a limit that other queries reach. POCO_EXCEPTION is how a lost connection to another
node arrives. All other codes are faults of a statement, of rights or of data."""

_BUSY_STATUS: Final = re.compile(r"HTTP status (?:429|502|503|504)\b")
"""What a load balancer answers while no server behind it does; it knows no code."""

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
        if code is None and (isinstance(error, OperationalError) or _BUSY_STATUS.search(str(error))):
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
    return (StoreAway if code in TRANSIENT else StoreError)(f"{where} says: {told}")


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
