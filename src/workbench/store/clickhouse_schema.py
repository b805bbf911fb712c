"""The tables in ClickHouse: numbered migrations, each done once, for one server or for a cluster of them.

A migration is plain SQL for one server. For a cluster each table is made `ON CLUSTER` on the Replicated engine; one
that says `-- shard: <expression>` is spread over the shards, behind a Distributed table of its own name, and one that
says `-- shard: none` is whole on every node.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final, Literal

from workbench.errors import InvalidArgument, StoreNotFound, StoreTooNew

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

LEASE_SECONDS: Final = 60.0
"""How long a migration may take until another process does it again; each statement can be repeated."""

PAUSE_SECONDS: Final = 0.1
LOG: Final = "migrations"

_SHARD: Final = re.compile(r"^-- shard: (?P<key>.+)$", re.MULTILINE)
_TABLE: Final = re.compile(r"CREATE TABLE IF NOT EXISTS (?P<name>\w+)")
_ENGINE: Final = re.compile(r"ENGINE = (?P<kind>\w*MergeTree)(?:\((?P<given>[^)]*)\))?")
_CLUSTER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_VIEW: Final = re.compile(r"CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<name>\w+) TO (?P<table>\w+) AS")
_FROM: Final = re.compile(r"\bFROM (?P<name>events)\b")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a schema is made for.

    Attributes:
        cluster: Name of the cluster in the servers' configuration; empty for one server.
        database: Where the tables are.
        insert_quorum: Replicas of a shard that have an insert before it is answered: a number, or `majority`.
    """

    cluster: str = ""
    database: str = "default"
    insert_quorum: int | Literal["majority"] = "majority"

    def __post_init__(self) -> None:
        """Refuse a name that is none.

        Raises:
            InvalidArgument: The cluster's name is not letters, digits and underscores.
        """
        if self.cluster and not _CLUSTER.fullmatch(self.cluster):
            raise InvalidArgument(f"a cluster's name is letters, digits and underscores, got {self.cluster!r}")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema.

    Attributes:
        number: From 1.
        name: In words.
        text: Its statements, for one server.
    """

    number: int
    name: str
    text: str

    def statements(self, shape: Shape) -> list[str]:
        """Write its statements for a server, or a cluster of them."""
        written = [each.strip() for each in self.text.split(";\n") if each.strip()]
        return [each for one in written for each in (_clustered(one, shape) if shape.cluster else [_plain(one)])]


def migrations() -> list[Migration]:
    """Return all that this version knows, in order."""
    folder = resources.files("workbench.store") / "migrations" / "clickhouse"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [
        Migration(number, file.name[5:].removesuffix(".sql").replace("_", " "), file.read_text(encoding="utf-8"))
        for number, file in enumerate(files, start=1)
    ]


def _plain(statement: str) -> str:
    """Leave the comments out: they are for readers of the file."""
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--")).rstrip(";")


def _clustered(statement: str, shape: Shape) -> list[str]:
    plain, on = _plain(statement), f"ON CLUSTER '{shape.cluster}'"
    if view := _VIEW.search(plain):
        local = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {view['name']} {on} TO {view['table']}_local AS"
        return [_FROM.sub("FROM events_local", plain.replace(view[0], local))]
    table, shard = _TABLE.search(plain), _SHARD.search(statement)
    if table is None or shard is None:
        raise InvalidArgument(f"a migration must say of each table how it is sharded: {plain[:60]!r}")
    name, key = table["name"], shard["key"]
    whole = key == "none"
    made = name if whole else f"{name}_local"
    replicated = _ENGINE.sub(lambda engine: _replicated(engine, name, shape, whole=whole), plain)
    replicated = replicated.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
    local = _TABLE.sub(f"CREATE TABLE IF NOT EXISTS {made} {on}", replicated)
    if whole:
        return [local]
    spread = f"ENGINE = Distributed('{shape.cluster}', '{shape.database}', '{made}', {key})"
    return [local, f"CREATE TABLE IF NOT EXISTS {name} {on} AS {made}\n{spread}"]


def _replicated(engine: re.Match[str], name: str, shape: Shape, *, whole: bool) -> str:
    """Write an engine that is replicated: within a shard, or on every node."""
    place = f"'/clickhouse/tables/{'all' if whole else '{shard}'}/{shape.database}/{name}'"
    who = "'{shard}-{replica}'" if whole else "'{replica}'"
    more = f", {engine['given']}" if engine["given"] else ""
    return f"ENGINE = Replicated{engine['kind']}({place}, {who}{more})"


_DONE: Final = Migration(
    0,
    "log",
    """-- shard: none
CREATE TABLE IF NOT EXISTS migrations
(
    number UInt32,
    kind LowCardinality(String),
    writer String,
    at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (number, kind)
SETTINGS non_replicated_deduplication_window = 1000;
""",
)
_APPLIED: Final = f"SELECT max(number) AS number FROM {LOG} WHERE kind = 'done'"  # noqa: S608 - own name
_OWNER: Final = f"SELECT writer FROM {LOG} WHERE number = $number AND kind = $kind ORDER BY at LIMIT 1"  # noqa: S608
_SAY: Final = f"INSERT INTO {LOG} (number, kind, writer) SELECT $number, $kind, $writer"


class Schema:
    """The tables of one database, and how far they are."""

    def __init__(
        self,
        do: Callable[[str, Mapping[str, object], str], None],
        select: Callable[[str, Mapping[str, object]], pa.Table],
        shape: Shape,
        *,
        lease: float = LEASE_SECONDS,
    ) -> None:
        """Take how to run a statement, with its values and the token by which only the first of several counts."""
        self._do, self._select, self._shape, self._lease = do, select, shape, lease
        self._writer = secrets.token_hex(8)

    def version(self) -> int:
        """Return the number of the last migration that was done; 0 where there are no tables.

        Raises:
            StoreTooNew: It is one that this version does not know.
        """
        try:
            found = int(self._select(_APPLIED, {})["number"].to_pylist()[0] or 0)
        except StoreNotFound:
            return 0
        known = len(migrations())
        if found > known:
            raise StoreTooNew(
                f"the tables are of version {found}, this Workbench knows {known}: upgrade it before it writes there"
            )
        return found

    def migrate(self) -> list[Migration]:
        """Do what was not done yet; return that. Safe for several processes at once: one does it, the others wait.

        Raises:
            StoreTooNew: The tables are of a newer Workbench.
        """
        done: list[Migration] = []
        before = self.version()
        if before == len(migrations()):
            return done  # nothing to do: a statement ON CLUSTER would wait for every node, and fail where one is down
        for statement in _DONE.statements(self._shape):
            self._do(statement, {}, "")
        for migration in migrations()[before:]:
            if self._mine(migration.number):
                for statement in migration.statements(self._shape):
                    self._do(statement, {}, "")
                self._say(migration.number, "done")
                done.append(migration)
        return done

    def _mine(self, number: int) -> bool:
        """Tell whether a migration is this process's to do; if not, wait until it is done."""
        for turn in range(100):
            kind = f"begun {turn}"
            self._say(number, kind)
            if self._owner(number, kind) == self._writer:
                return self._owner(number, "done") is None
            until = time.monotonic() + self._lease
            while time.monotonic() < until:
                if self._owner(number, "done") is not None:
                    return False
                time.sleep(PAUSE_SECONDS)
        raise StoreTooNew(f"migration {number} was begun by others a hundred times and never done: look at `{LOG}`")

    def _say(self, number: int, kind: str) -> None:
        values = {"number": number, "kind": kind, "writer": self._writer}
        self._do(_SAY, values, f"migration-{number}-{kind}")

    def _owner(self, number: int, kind: str) -> str | None:
        return next(iter(self._select(_OWNER, {"number": number, "kind": kind})["writer"].to_pylist()), None)
