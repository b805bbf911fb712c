"""How ClickHouse is talked to: where it is, what is bound in a statement, what comes back, what goes wrong."""

from __future__ import annotations

import base64
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pyarrow as pa

from workbench.errors import InvalidArgument, StoreError, StoreNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickhouse_connect.driver.client import Client

MEMORY: Final = ":memory:"
DATABASE: Final = "default"

READ: Final = {
    "session_timezone": "UTC",
    # as SQL has it: an alias does not hide the column it is made of, and what is not there is null
    "prefer_column_name_to_alias": "1",
    "aggregate_functions_null_for_empty": "1",
    "join_use_nulls": "1",
    "output_format_arrow_string_as_string": "1",
    "output_format_arrow_compression_method": "none",
    "max_query_size": str(16 << 20),
    "readonly": "2",
}
"""Settings of whoever asks: nothing can be written. The last one must be, as the others can be set no more."""

WRITE: Final = {"session_timezone": "UTC"}

_MANY: Final = 1_000
"""More integers than this are bound as bytes: as text, ClickHouse reads some 100,000 of them forever."""


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
    """

    host: str = ""
    port: int = 0
    path: str = ""
    user: str = DATABASE
    password: str = field(default="", repr=False)
    database: str = DATABASE
    secure: bool = False

    def __str__(self) -> str:
        return f"clickhouse://{self.host}:{self.port}/{self.database}" if self.host else f"chdb://{self.path}"


def address(dsn: str) -> Address:
    """Read where ClickHouse is.

    Args:
        dsn: `chdb://path` for the engine in this process (`chdb://:memory:` keeps nothing), or
            `clickhouse://user:password@host:8443/database?secure=true`.

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
        port = parts.port or (8443 if secure else 8123)
    except ValueError:
        scheme, options = "", {}
    if scheme != "clickhouse" or options or not parts.hostname:
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
    with named(where):
        if not where.host:
            return clickhouse_connect.get_client(interface="chdb", path=where.path, settings=dict(settings))
        return clickhouse_connect.get_client(
            host=where.host,
            port=where.port,
            username=where.user,
            password=where.password,
            database=where.database,
            secure=where.secure,
            settings=dict(settings),
            autogenerate_session_id=False,
        )


_REFUSED: Final = frozenset({192, 193, 194, 497, 516})
_NOT_THERE: Final = {81: "the database", 60: "a table"}


@contextmanager
def named(where: Address) -> Iterator[None]:
    """Say what went wrong with ClickHouse, without telling how to log in.

    Raises:
        StoreNotFound: A database or table is missing.
        StoreError: Anything else.
    """
    from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError  # noqa: PLC0415 - an extra

    try:
        yield
    except ClickHouseError as error:
        told, code = _told(str(error), where), getattr(error, "code", None)
        if code in _NOT_THERE:
            raise StoreNotFound(f"{where} has not {_NOT_THERE[code]} that was asked for: {told}") from None
        if code in _REFUSED:
            raise StoreError(f"{where} refuses the user {where.user!r} or the password: check both") from None
        if isinstance(error, OperationalError) and code is None:
            raise StoreError(f"{where} does not answer: check host and port, and that it runs ({told})") from None
        raise StoreError(f"{where} says: {told}") from None


def _told(message: str, where: Address) -> str:
    first = " ".join(message.split())[:300]
    return first.replace(where.password, "…") if where.password else first


def select(client: Client, where: Address, sql: str, params: Mapping[str, object]) -> pa.Table:
    """Run one SELECT with bound values, named `$name` in it; types as DuckDB gives them.

    Raises:
        InvalidArgument: It is several statements: the engine in this process would run them all.
    """
    if ";" in _QUOTED.sub("", sql):
        raise InvalidArgument(f"only one SELECT statement can be asked, got {sql.strip()[:80]!r}")
    text, bound = binding(sql, params)
    with named(where):
        answer = client.raw_query(text, parameters=bound, fmt="ArrowStream")
    return _signed(pa.ipc.open_stream(answer).read_all())


_QUOTED: Final = re.compile(r"""'(?:[^'\\]|\\.)*'|"[^"]*"|`[^`]*`|--[^\n]*|/\*.*?\*/""", re.DOTALL)


def _signed(table: pa.Table) -> pa.Table:
    """Make counts and other unsigned numbers signed ones."""
    fields = [
        pa.field(each.name, pa.int64()) if pa.types.is_unsigned_integer(each.type) else each for each in table.schema
    ]
    return table.cast(pa.schema(fields))


def binding(sql: str, params: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Name each `$name` with its type, as ClickHouse wants it.

    Returns:
        The statement, and what is to be bound in it.

    Raises:
        InvalidArgument: A value is of a kind that cannot be bound.

    >>> binding("SELECT $n + 1", {"n": 1})
    ('SELECT {n:Int64} + 1', {'n': 1})
    """
    pieces: dict[str, str] = {}
    bound: dict[str, object] = {}
    for name, value in params.items():
        pieces[name], value_bound = _bound(name, value)
        bound |= value_bound
    return re.sub(r"\$([A-Za-z_]\w*)", lambda match: pieces.get(match[1], match[0]), sql), bound


def _bound(name: str, value: object) -> tuple[str, dict[str, object]]:
    """Write how a value is named in a statement, and what is bound for it."""
    if value is None:
        return "NULL", {}
    if isinstance(value, list | tuple | np.ndarray):
        return _bound_list(name, list(value))
    kind, plain = _scalar(name, value)
    return f"{{{name}:{kind}}}", {name: plain}


def _bound_list(name: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    known = [_scalar(name, value) for value in values if value is not None]
    kinds = {kind for kind, _ in known}
    if not kinds:
        return "[]", {}
    if len(kinds) > 1 and kinds != {"Int64", "Float64"}:
        raise InvalidArgument(f"the values of ${name} must be of one kind, got {list(values)[:5]!r}")
    kind = "Float64" if "Float64" in kinds else next(iter(kinds))
    if kind == "Int64" and len(known) == len(values) > _MANY:
        return _as_bytes(name, np.array([plain for _, plain in known], dtype="<i8"))
    several = [None if value is None else _scalar(name, value)[1] for value in values]
    return f"{{{name}:Array({kind if len(known) == len(values) else f'Nullable({kind})'})}}", {name: several}


def _as_bytes(name: str, values: Any) -> tuple[str, dict[str, object]]:  # noqa: ANN401 - an array of NumPy
    read = f"reinterpretAsInt64(substring(base64Decode({{{name}:String}}), i * 8 + 1, 8))"
    return f"arrayMap(i -> {read}, range({len(values):d}))", {name: base64.b64encode(values.tobytes()).decode()}


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "Bool"),
    (int, "Int64"),
    (float, "Float64"),
    (str, "String"),
    (datetime, "DateTime64(6, 'UTC')"),
    (date, "Date32"),
    (timedelta, "Int64"),
)


def _scalar(name: str, value: Any) -> tuple[str, object]:  # noqa: ANN401 - whatever a question binds
    plain = value.item() if isinstance(value, np.generic) else value
    for known, kind in _KINDS:
        if isinstance(plain, known):
            if isinstance(plain, datetime):
                return kind, plain.astimezone(UTC) if plain.tzinfo else plain.replace(tzinfo=UTC)
            return kind, plain // timedelta(microseconds=1) if isinstance(plain, timedelta) else plain
    raise InvalidArgument(f"${name} cannot be bound to {value!r}: use text, a number, a time or a list of them")
