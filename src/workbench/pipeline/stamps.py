"""What a task was made from, beyond what Ploomber compares: the code of the package, the settings and the data.

A stamp is a small JSON file beside the products of its task. It is taken away before the task runs and
written when it has succeeded, so that a task that was interrupted runs again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench import config
from workbench.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE: Final = Path(__file__).parents[1]
_CODE: Final = {".py", ".sql", ".yaml"}
_ELSEWHERE: Final = {"store", "cluster", "control", "models", "models_key", "products", "reports", "host", "port"}
"""Settings of places, which change no number."""


def code() -> str:
    """Return a hash of every file of this package that can change a number."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(file for file in _PACKAGE.rglob("*") if file.suffix in _CODE):
        digest.update(str(file.relative_to(_PACKAGE)).encode())
        digest.update(hashlib.blake2b(file.read_bytes()).digest())
    return digest.hexdigest()


def source(path: Path | None) -> str:
    """Return a hash that differs when an export does: by size and time of its file, or of all files of its folder.

    Raises:
        SourceError: There is nothing at the path.
    """
    if path is None:
        return ""
    if not path.exists():
        raise SourceError(f"no file or folder {path}: name an export to ingest, or leave the source out")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    facts = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()


def settings() -> str:
    """Return a hash of the settings that can change a number; notebooks read them by themselves."""
    known = config.load().model_dump_json(exclude=_ELSEWHERE)
    return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()


def read(products: Path, task: str) -> dict[str, str]:
    """Return the stamp of a task; empty if it has none, or an unreadable one."""
    try:
        content = json.loads(_file(products, task).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write(products: Path, task: str, stamp: Mapping[str, str]) -> None:
    """Stamp a task that has succeeded."""
    _file(products, task).write_text(json.dumps(stamp), encoding="utf-8")


def remove(products: Path, task: str) -> None:
    """Take the stamp of a task away before it runs."""
    _file(products, task).unlink(missing_ok=True)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Say in words what changed; empty if nothing did.

    >>> difference({"code": "a", "lake": "1"}, {"code": "b", "lake": "1"})
    'the package changed'
    """
    if not old:
        return "not finished before"
    names = {
        "code": "the package",
        "settings": "the settings",
        "source": "the source",
        "mapping": "the mapping",
        "lake": "the lake",
    }
    changed = [names[name] for name in names if old.get(name) != new.get(name)]
    return f"{' and '.join(changed)} changed" if changed else ""


def _file(products: Path, task: str) -> Path:
    return products / f".{task}.stamp"
