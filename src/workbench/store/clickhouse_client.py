"""How ClickHouse is talked to: where it is, what goes there, what comes back."""

from __future__ import annotations

import logging
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa

from workbench.errors import InvalidArgument, StoreError
from workbench.store import alone
from workbench.store.clickhouse_binding import Sent, Written, binding
from workbench.store.clickhouse_errors import named, refuse_old
from workbench.store.clickhouse_files import MEMORY, a_file, sweep

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.external import ExternalData
    from numpy.typing import NDArray

DATABASE: Final = "default"

READ: Final = {
    "session_timezone": "UTC",
    # as SQL has it: an alias does not hide the column it is made of, and what is not there is null
    "prefer_column_name_to_alias": "1",
    "aggregate_functions_null_for_empty": "1",
    "join_use_nulls": "1",
    "output_format_arrow_string_as_string": "1",
    "output_format_arrow_compression_method": "none",
    "max_query_size": str(256 << 20),
    "readonly": "2",
}
"""Settings of whoever asks: nothing can be written. The last one must be, as the others can be set no more."""

WRITE: Final = {
    "session_timezone": "UTC",
    "output_format_arrow_string_as_string": "1",
    "output_format_arrow_compression_method": "none",
    "max_query_size": str(64 << 20),
    "max_partitions_per_insert_block": "0",  # an export may be of many years
    "insert_deduplicate": "1",
    "async_insert": "0",  # what was answered is written
}
"""Settings of whoever writes."""

SPREAD: Final = {"distributed_product_mode": "global"}
"""Settings of every client of a cluster: a sub-query in IN or JOIN is answered once and sent to all shards. Without it
ClickHouse refuses one that reads a table of several shards (288)."""

READ_ON_CLUSTER: Final = {**SPREAD, "select_sequential_consistency": "1"}
"""Settings of readers where a quorum has each insert: a replica that is behind says so, and does not leave out rows."""

READ_FIRST_REPLICA: Final = {
    **SPREAD,
    "load_balancing": "in_order",
    "prefer_localhost_replica": "0",
    "max_replica_delay_for_distributed_queries": "5",
    "fallback_to_stale_replicas_for_distributed_queries": "0",
}
"""Settings of readers where one replica is enough for an insert: all read and write the first one that answers, and one
that knows that it is behind is not read. `ClickHouseStore.snapshot` counts what it has of the latest batches."""

WRITE_ON_CLUSTER: Final = {"insert_quorum_parallel": "0", "distributed_foreground_insert": "1"}
"""Settings of writers: an insert is answered when each shard has it."""

MAJORITY: Final = "majority"
ONE: Final = 1


def cluster_settings(quorum: int | str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the settings of a cluster's readers, and of its writers.

    Args:
        quorum: Replicas of a shard that have an insert before it is answered: a number, or `majority`.
    """
    read = READ_FIRST_REPLICA if quorum == ONE else READ_ON_CLUSTER
    replicas = {MAJORITY: "auto", ONE: "0"}.get(quorum, str(quorum))
    return dict(read), {**read, **WRITE_ON_CLUSTER, "insert_quorum": replicas}


ONCE: Final = "insert_deduplication_token"
"""The setting that names an insert, so that it counts once."""

PIECE_ROWS: Final = 250_000
"""Rows that travel at once: of more, the copies of them take longer than their way."""

PIECE_ROWS_HERE: Final = 1_000_000
"""Rows that the engine in this process takes at once: it makes fewer copies, and merges larger pieces less often."""

PIECE_BYTES: Final = 256 << 20
"""Of wide rows fewer travel at once, so that no more than so many bytes do."""

CHUNK_ROWS: Final = 100_000
"""Rows of those that it reads at once."""

TIMEOUT: Final = 300
"""Seconds after which a server that says nothing is taken to be away."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ClickHouse is. Its text has no password.

    Attributes:
        host: A server; empty for the engine in this process.
        port: Of its HTTP interface.
        path: The folder of the engine in this process, or `:memory:`.
        user: On the server.
        password: Never shown.
        database: What is asked.
        secure: Whether the server speaks HTTPS.
        timeout: Seconds after which a server that says nothing is taken to be away.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    user: str = DATABASE
    password: str = field(default="", repr=False)
    database: str = DATABASE
    secure: bool = False
    timeout: int = TIMEOUT

    def __str__(self) -> str:
        return f"clickhouse://{self.host}:{self.port}/{self.database}" if self.host else f"chdb://{self.path}"


def address(dsn: str) -> Address:
    """Read where ClickHouse is.

    Args:
        dsn: `chdb://path` for the engine in this process (`chdb://:memory:` keeps nothing), or
            `clickhouse://user:password@host:8443/database?secure=true&timeout=300`.

    Raises:
        InvalidArgument: It is neither.

    >>> str(address("clickhouse://ann:secret@db.example:8443/events?secure=true"))
    'clickhouse://db.example:8443/events'
    """
    scheme, _, rest = dsn.partition("://")
    if scheme == "chdb" and rest:
        return Address(path=rest if rest == MEMORY else str(Path(rest).absolute()))
    try:
        parts = urlsplit(dsn)
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        secure = options.pop("secure", "false") == "true"
        port, timeout = parts.port or (8443 if secure else 8123), int(options.pop("timeout", TIMEOUT))
    except ValueError:
        scheme, options = "", {}
    if scheme != "clickhouse" or options or not parts.hostname or timeout < 1:
        raise InvalidArgument(
            "a ClickHouse is named chdb://path or clickhouse://user:password@host:8443/database?secure=true, "
            f"got {_without_password(dsn)!r}"
        )
    return Address(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or DATABASE),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.strip("/")) or DATABASE,
        secure=secure,
        timeout=timeout,
    )


def _without_password(dsn: str) -> str:
    return re.sub(r"://.*@", "://…@", dsn)


def connect(where: Address, settings: Mapping[str, str]) -> Client:
    """Open a client with settings of its own.

    Raises:
        StoreError: Nothing answers, or the user or the password is refused.
        StoreNotFound: There is no such database.
    """
    try:
        import clickhouse_connect  # noqa: PLC0415 - an extra, and heavy
    except ImportError as error:
        raise StoreError(f"{where} needs an extra: pip install 'workbench[clickhouse]'") from error
    if not where.host and where.path != MEMORY:
        alone.hold(where.path)
        sweep(where)
    for name in ("clickhouse_connect", "urllib3"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # what goes wrong is raised, and said once
    with named(where):
        if not where.host:
            return clickhouse_connect.get_client(interface="chdb", path=where.path, settings=dict(settings))
        client = clickhouse_connect.get_client(
            host=where.host,
            port=where.port,
            username=where.user,
            password=where.password,
            database=where.database,
            secure=where.secure,
            settings=dict(settings),
            autogenerate_session_id=False,
            send_receive_timeout=where.timeout,
            connect_timeout=min(where.timeout, 10),
            query_retries=0,
        )
    refuse_old(where, str(client.server_version))
    return client


def close(client: Client, where: Address) -> None:
    """Let go of it: of the engine in this process, when the last of its clients is closed."""
    client.close()
    if not where.host and where.path != MEMORY:
        alone.release(where.path)


def command(client: Client, where: Address, sql: str, params: Mapping[str, object], *, token: str = "") -> None:
    """Run a statement that returns nothing; of several with the same token only the first one counts."""
    text, bound = binding(sql, params)
    with named(where):
        client.command(text, parameters=bound, settings={ONCE: token} if token else None)


def insert(
    client: Client,
    where: Address,
    table: str,
    rows: pa.Table,
    *,
    token: str,
    kept: NDArray[np.bool_] | None = None,
) -> None:
    """Add rows to a table, some at a time; of several inserts with the same token only the first one counts.

    Args:
        client: One that writes.
        where: What it writes to.
        table: Its name.
        rows: With its columns.
        token: Names the insert.
        kept: Which rows are meant, if not all. They are picked out as they are written, few in memory at a time.
    """
    most = PIECE_ROWS if where.host else PIECE_ROWS_HERE
    most = min(most, 1 + PIECE_BYTES * rows.num_rows // max(rows.nbytes, 1))
    for number, start in enumerate(range(0, rows.num_rows, most)):
        piece, once = rows.slice(start, most), f"{token}-{number}"
        mask = None if kept is None else kept[start : start + most]
        if mask is not None and not mask.any():
            continue
        if where.host:
            with named(where):
                client.insert_arrow(table, _picked(piece, mask), settings={ONCE: once})
        else:
            _insert_here(client, where, table, piece, kept=mask, token=once)


def _insert_here(
    client: Client, where: Address, table: str, rows: pa.Table, *, kept: NDArray[np.bool_] | None, token: str
) -> None:
    """Hand rows to the engine in this process as a file, without the two copies of them that `insert_arrow` makes."""
    with a_file(where) as path:
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
            for start in range(0, rows.num_rows, CHUNK_ROWS):
                end = start + CHUNK_ROWS
                writer.write_table(_picked(rows.slice(start, CHUNK_ROWS), None if kept is None else kept[start:end]))
        names = ", ".join(rows.column_names)
        once = f"SETTINGS {ONCE} = {_quoted(token)}"
        with named(where):
            client.command(f"INSERT INTO {table} ({names}) FROM INFILE {_quoted(path)} {once} FORMAT Arrow")


def _picked(rows: pa.Table, kept: NDArray[np.bool_] | None) -> pa.Table:
    """Return the rows that are meant; without a copy, where all are."""
    return rows if kept is None or kept.all() else rows.filter(pa.array(kept))


def _quoted(text: str) -> str:
    """Write text as SQL has it; of this process alone, not of a user."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def select(client: Client, where: Address, sql: str, params: Mapping[str, object]) -> pa.Table:
    """Run one SELECT with bound values, named `$name` in it; types as DuckDB gives them.

    Raises:
        InvalidArgument: It is several statements: the engine in this process would run them all.
    """
    if ";" in _QUOTED.sub("", sql):
        raise InvalidArgument(f"only one SELECT statement can be asked, got {sql.strip()[:80]!r}")
    with _beside(where, params) as (given, data):
        text, bound = binding(sql, given)
        with named(where):
            answer = client.raw_query(text, parameters=bound, fmt="ArrowStream", external_data=data)
            table = pa.ipc.open_stream(answer).read_all()
    return _signed(table)


@contextmanager
def _beside(where: Address, params: Mapping[str, object]) -> Iterator[tuple[dict[str, object], ExternalData | None]]:
    """Send along what a statement asks as tables: to a server with the request, to the engine here as files."""
    given, data = dict(params), None
    with ExitStack() as files:
        for name, value in params.items():
            if not isinstance(value, Sent):
                continue
            given[name] = Written(name)
            if where.host:
                from clickhouse_connect.driver.external import ExternalData  # noqa: PLC0415 - an extra, and heavy

                data = data or ExternalData()
                data.add_file(file_name=name, data=value.numbers.tobytes(), fmt="RowBinary", structure="key UInt64")
            else:
                path = files.enter_context(a_file(where))
                value.numbers.tofile(path)
                given[name] = Written(f"file({_quoted(path)}, 'RowBinary', 'key UInt64')")
        yield given, data


_QUOTED: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"[^"]*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)


def _signed(table: pa.Table) -> pa.Table:
    """Make counts and other unsigned numbers signed ones."""
    fields = [
        pa.field(each.name, pa.int64()) if pa.types.is_unsigned_integer(each.type) else each for each in table.schema
    ]
    return table.cast(pa.schema(fields))
