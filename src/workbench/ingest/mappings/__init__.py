"""How the columns of an export become the fields of an event: a few lines of YAML, ours or the user's.

See `docs/ingest.md` for every key, and the files beside this one for examples.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import available_timezones

import msgspec
import yaml

from workbench.errors import InvalidMapping
from workbench.events import FIELDS
from workbench.texts import check_text

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

NATIVE: Final = "native"
REST: Final = "rest"
"""In `properties`: every column that feeds no field."""

SPREAD: Final = ".*"
"""After a path in `properties`: the members of the object there, rather than the object."""

Path_ = str
TimeUnit = Literal["iso", "s", "ms", "us", "ns"]
FEEDABLE: Final = tuple(name for name in FIELDS if name != "properties")
CONSTANT: Final = tuple(name for name in FEEDABLE if name not in {"event_id", "occurred_at"})
_REQUIRED: Final = ("event_type", "user_id", "occurred_at")
_PACKAGE: Final = "workbench.ingest.mappings"


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where each field of an event is found in a row.

    Attributes:
        fields: For each field of `Event` one path, or several of which the first that gives a value
            counts. A path is the name of a column, or names joined by dots that lead into objects.
        about: What exports it is for.
        time: How `occurred_at` is written: ISO 8601 or a number of s, ms, us or ns since 1970.
        timezone: Time zone of times that name none; that of the settings unless given.
        unique: Paths whose values together make the `event_id`, where no single one is unique.
        missing: For a field, values that mean that it has none.
        constants: Values of fields for rows that do not give one.
        event_types: New names of event types, by their old ones.
        properties: What is kept beside the fields: `rest`, a path to an object, or a list of paths.
        ignore: Columns that `rest` leaves out.
        without_id: What becomes of a row without `event_id`: `reject`, or `hash`, an id computed from
            the row. Unless given, `hash` if `fields` has no `event_id`.
        name: What it was loaded by.
    """

    fields: dict[str, Path_ | list[Path_]]
    about: str = ""
    time: TimeUnit = "iso"
    timezone: str | None = None
    unique: list[Path_] = []
    missing: dict[str, list[str | int | float]] = {}
    constants: dict[str, str | int | float] = {}
    event_types: dict[str, str] = {}
    properties: Path_ | list[Path_] = REST
    ignore: list[str] = []
    without_id: Literal["reject", "hash"] | None = None
    name: str = ""

    @property
    def hashes(self) -> bool:
        """Whether rows without an id get one computed from their content."""
        has_id = "event_id" in self.fields or self.unique
        return self.without_id == "hash" or (self.without_id is None and not has_id)

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that change when what it does changes."""
        does = msgspec.to_builtins(msgspec.structs.replace(self, about="", name=""))
        for key in _LATER_KEYS:
            if not does[key]:
                del does[key]  # so that files read before there was such a key are still known
        return hashlib.blake2b(msgspec.json.encode(does, order="sorted"), digest_size=4).hexdigest()

    @property
    def single_key(self) -> Mapping | None:
        """The same mapping with the one field of its key that older versions took for the id; `None` without one."""
        return msgspec.structs.replace(self, unique=[]) if self.unique and "event_id" in self.fields else None

    def paths(self, field: str) -> tuple[Path_, ...]:
        """Return where to look for a field, in order."""
        return _listed(self.fields.get(field, []))

    @property
    def kept(self) -> tuple[Path_, ...]:
        """What goes into `properties`, in order of precedence: `rest`, `path`, or `path.*` for its members."""
        if isinstance(self.properties, list) or self.properties == REST:
            return _listed(self.properties)
        return (self.properties.removesuffix(SPREAD) + SPREAD,)


def names() -> list[str]:
    """List the mappings that come with Workbench.

    >>> names()
    ['amplitude', 'mixpanel', 'native', 'posthog', 'segment']
    """
    return sorted(file.name.removesuffix(".yaml") for file in _files())


def load(name: str | Path) -> Mapping:
    """Load a mapping.

    Args:
        name: One of `names()`, or the path of a YAML file.

    Raises:
        InvalidMapping: There is none of this name, or its YAML does not say how to build an event.

    >>> load("mixpanel").paths("occurred_at")
    ('properties.time',)
    """
    for file in _files():
        if file.name == f"{name}.yaml":
            return _read(file.read_text(encoding="utf-8"), name=str(name))
    path = Path(name).expanduser()
    if not path.is_file():
        raise InvalidMapping(f"no mapping {str(name)!r}: there are {', '.join(names())}, or name a YAML file")
    try:
        return _read(path.read_text(encoding="utf-8"), name=str(path.absolute()))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidMapping(f"cannot read the mapping {path}: {error}") from error


def _files() -> list[Traversable]:
    return [file for file in resources.files(_PACKAGE).iterdir() if file.name.endswith(".yaml")]


def _read(text: str, *, name: str) -> Mapping:
    try:
        keys = yaml.safe_load(text)
        check_text(keys)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidMapping(f"{name}: not YAML: {error}") from error
    if not isinstance(keys, dict):
        raise InvalidMapping(f"{name}: a mapping is keys with values; the one it cannot do without is `fields`")
    _known(keys, (*_KEYS,), f"{name}: no key")
    try:
        mapping = msgspec.convert({**keys, "name": name}, Mapping)
    except msgspec.ValidationError as error:
        raise InvalidMapping(f"{name}: {error}; see docs/ingest.md for what each key holds") from error
    _known(mapping.fields, FEEDABLE, f"{name}: fields: no field")
    _known(mapping.constants, CONSTANT, f"{name}: constants: no field that can have one")
    _known(mapping.missing, FEEDABLE, f"{name}: missing: no field")
    if mapping.timezone is not None and mapping.timezone not in available_timezones():
        raise InvalidMapping(f"{name}: timezone: unknown {mapping.timezone!r}; use a name such as 'Europe/Berlin'")
    _whole(mapping)
    if len(mapping.unique) == 1:
        fields = {**mapping.fields, "event_id": mapping.unique[0]}
        mapping = msgspec.structs.replace(mapping, fields=fields, unique=[])
    return msgspec.structs.replace(mapping, constants={key: _constant(mapping, key) for key in mapping.constants})


def _known(given: dict[Any, Any], allowed: tuple[str, ...], what: str) -> None:
    for key in given:
        if key not in allowed:
            raise InvalidMapping(f"{what} {key!r}: there are {', '.join(allowed)}")


def _whole(mapping: Mapping) -> None:
    """Refuse what could never give an event."""
    for field in _REQUIRED:
        if not mapping.paths(field) and field not in mapping.constants:
            raise InvalidMapping(f"{mapping.name}: fields: {field} is missing; say which column feeds it")
    if not mapping.paths("event_id") and not mapping.unique and not mapping.hashes:
        raise InvalidMapping(f"{mapping.name}: fields: event_id is missing; name its column, or `without_id: hash`")
    if "" in {path for field in mapping.fields for path in mapping.paths(field)} | {*mapping.kept, *mapping.unique}:
        raise InvalidMapping(f"{mapping.name}: an empty path; name a column, or names joined by dots")


def _constant(mapping: Mapping, field: str) -> str | int | float:
    """Check a constant against its field; a name that YAML took for a number is a name."""
    value = mapping.constants[field]
    if field not in _NUMBERS:
        return str(value)
    if not isinstance(value, _NUMBERS[field]):
        raise InvalidMapping(f"{mapping.name}: constants: {field} is {value!r}, it must be a number")
    return value


def _listed(paths: Path_ | list[Path_]) -> tuple[Path_, ...]:
    return tuple(paths) if isinstance(paths, list) else (paths,)


_NUMBERS: Final[dict[str, type | tuple[type, ...]]] = {"value": (int, float), "schema_version": int}
_LATER_KEYS: Final = ("timezone", "unique", "missing")
_KEYS: Final = tuple(name for name in Mapping.__struct_fields__ if name != "name")
