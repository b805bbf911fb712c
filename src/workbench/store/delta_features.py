"""Features of the Delta protocol that a table requires: what is not known here is refused by name.

Other programs may write to the table of a lake. A feature that is ignored shows wrong rows (column mapping, type
widening) or breaks what the other program relies on (row tracking, constraints).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from workbench.errors import StoreError
from workbench.store import deletion_vectors

if TYPE_CHECKING:
    from pathlib import Path

    from deltalake import DeltaTable

READ: Final = frozenset({deletion_vectors.FEATURE})
"""Reader features that are honoured."""

WRITTEN: Final = frozenset({deletion_vectors.FEATURE, "appendOnly", "invariants"})
"""Writer features that are honoured; the last two come with any upgrade of the protocol and are checked in use."""

_VARIANT: Final = frozenset({"variantType", "variantType-preview"})
_READER_VERSIONS: Final = (1, 2, 3)
_IDENTITY_WRITER: Final = 6
_NEWEST_WRITER: Final = 7
_UNKNOWN: Final = re.compile(r"Feature '(?P<name>[\w.-]+)' is not supported")
_IN_USE: Final = {
    "delta.appendOnly": "appendOnly",
    "delta.enableChangeDataFeed": "changeDataFeed",
    "delta.enableRowTracking": "rowTracking",
}


def refuse_unreadable(table: DeltaTable, path: Path) -> None:
    """Refuse a table whose rows cannot be read right.

    Raises:
        StoreError: It requires a reader feature that is not honoured here; the message names it.
    """
    protocol = table.protocol()
    if protocol.min_reader_version not in _READER_VERSIONS:
        raise StoreError(
            f"{path} requires version {protocol.min_reader_version} of the Delta reader protocol, Workbench reads "
            f"up to {_READER_VERSIONS[-1]}: upgrade Workbench"
        )
    unknown = sorted(set(protocol.reader_features or []) - READ - _unused(table))
    mode = table.metadata().configuration.get("delta.columnMapping.mode") or "none"
    if mode != "none" and "columnMapping" not in unknown:
        unknown.append("columnMapping")
    if unknown:
        raise StoreError(_refusal(path, unknown, "read"))


def refuse_unwritable(table: DeltaTable, path: Path) -> None:
    """Refuse to write to a table that requires more of its writers than is done here.

    Raises:
        StoreError: It requires a writer feature that is not honoured here; the message names it.
    """
    refuse_unreadable(table, path)
    protocol, configuration = table.protocol(), table.metadata().configuration
    if protocol.min_writer_version > _NEWEST_WRITER:
        raise StoreError(
            f"{path} requires version {protocol.min_writer_version} of the Delta writer protocol, Workbench writes "
            f"up to {_NEWEST_WRITER}: upgrade Workbench"
        )
    unknown = set(protocol.writer_features or []) - WRITTEN - _unused(table)
    unknown |= {feature for key, feature in _IN_USE.items() if str(configuration.get(key)).lower() == "true"}
    if any(key.startswith("delta.constraints.") for key in configuration):
        unknown.add("checkConstraints")
    if protocol.min_writer_version == _IDENTITY_WRITER:
        unknown.add("identityColumns")
    if "delta.invariants" in table.schema().to_json():
        unknown.add("invariants")
    if unknown:
        raise StoreError(_refusal(path, sorted(unknown), "write"))


def unknown_feature(error: Exception, root: Path, path: Path) -> StoreError | None:
    """Explain that `deltalake` cannot open a table because of a feature; `None` if that is not why.

    Args:
        error: What it raised.
        root: Folder of the table.
        path: How the lake is named to its user.
    """
    names = [name for name in _required(root) if name not in READ | _VARIANT]
    match = _UNKNOWN.search(str(error))
    if not names and match:
        names = [match["name"]]
    return StoreError(_refusal(path, names, "read")) if names else None


def _unused(table: DeltaTable) -> frozenset[str]:
    """Return the features that no column makes use of: `deltalake` adds `variantType` when it sets any property."""
    return frozenset() if '"variant"' in table.schema().to_json() else _VARIANT


def _required(root: Path) -> list[str]:
    """Return the reader features of the newest protocol in the log itself, as far as it is in JSON and readable."""
    for entry in sorted((root / "_delta_log").glob("*.json"), reverse=True):
        for line in entry.read_text(encoding="utf-8", errors="replace").splitlines():
            if '"protocol"' not in line:
                continue
            try:
                protocol = json.loads(line).get("protocol")
            except ValueError:
                continue  # a damaged log is not what this is about
            if protocol:
                return sorted(protocol.get("readerFeatures") or [])
    return []


def _refusal(path: Path, features: list[str], verb: str) -> str:
    honoured = sorted(READ if verb == "read" else WRITTEN)
    return (
        f"{path} uses the Delta feature(s) {', '.join(features)}, with which Workbench cannot {verb} it (it knows "
        f"{', '.join(honoured)}): drop them with the program that added them (Spark: ALTER TABLE … DROP FEATURE, or "
        "UNSET TBLPROPERTIES), or ingest the events into a new lake"
    )
