"""The log of a lake: made durable at each commit, and compared with a journal before it is believed.

Delta Lake keeps one JSON file per version in `events/_delta_log`. The library neither syncs them to disk nor notices
when the newest is gone, empty, or cut between two lines: it opens the version before. So each commit also appends a
line to `<lake>/commits.journal`: name, size and checksum of the log file. A log that lacks what the journal
names is damaged, and nothing is answered from it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ASIDE: Final = "damaged"
"""Folder in the lake that damaged files of the log are moved to; nothing reads them."""

REPAIRING: Final = "repairing"
"""File in that folder while a repair is under way: the log is sound again, and events are still missing."""

JOURNAL: Final = "commits.journal"
_TAIL_BYTES: Final = 64 << 10
"""How much of the journal is read: some 800 commits. The state of a table needs those since its newest checkpoint."""

_NEWS_BYTES: Final = 4 << 10
_KEPT_BYTES: Final = 1 << 20
_FULL: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class LogFault:
    """A file of the log that is not as it was committed.

    Attributes:
        version: The version it makes.
        name: Its name.
        detail: What is wrong with it.
    """

    version: int
    name: str
    detail: str

    def __str__(self) -> str:
        """Say which file, and what is wrong."""
        return f"log entry {self.name} is {self.detail}"


@dataclass(frozen=True, slots=True)
class _Line:
    size: int
    checksum: str


class CommitLog:
    """The log of the table at `root`, and the journal in the folder above."""

    def __init__(self, root: Path) -> None:
        """Take the folder of the table."""
        self.folder = root / "_delta_log"
        self.journal = root.parent / JOURNAL
        self._verified = -1
        self._marker = root.parent / ASIDE / REPAIRING
        self._is_repairing = False

    @contextmanager
    def repairing(self) -> Iterator[bool]:
        """Let nobody else open the lake until the repair has ended; yields whether an earlier one was interrupted."""
        interrupted = self._marker.exists()
        if interrupted or self.faults(again=True):
            write_durably(self._marker, b"")
        self._is_repairing = True
        yield interrupted
        self._marker.unlink(missing_ok=True)
        self._is_repairing = False

    def record(self, *, after: int) -> None:
        """Sync all versions after one to disk, and note them in the journal.

        Raises:
            OSError: They cannot be synced: whether the commit outlives a power failure is not known.
        """
        lines = []
        version = after + 1
        while (entry := self.entry(version)).exists():
            written = [path for path in (entry, entry.with_suffix(".checkpoint.parquet")) if path.exists()]
            lines += [_journal_line(path, sync(path)) for path in written]
            version += 1
        hint = self.folder / "_last_checkpoint"
        if len(lines) > version - after - 1 and hint.exists():
            sync(hint)
        sync_folder(self.folder)
        self._append(lines)
        if self._verified == after:
            self._verified = version - 1  # what was read back a moment ago

    def entry(self, version: int) -> Path:
        """Return the file that makes a version."""
        return self.folder / f"{version:020}.json"

    def faults(self, *, again: bool = False) -> list[LogFault]:
        """Compare the log since its newest checkpoint with the journal; those that were found sound are not read again.

        Args:
            again: Read all of it.
        """
        if again or not self.entry(self._verified).exists():  # never read, or trimmed meanwhile
            self._verified = -1
        if self._marker.exists() and not self._is_repairing:
            return [LogFault(0, self._marker.name, "left by a repair that did not end")]
        is_first = self._verified < 0
        lines = self._lines(_TAIL_BYTES if is_first else _NEWS_BYTES)  # first: a writer writes the log before it
        newest = max([_version(name) for name in lines], default=-1)
        start, faults = self._verified, list[LogFault]()
        if is_first:
            start, faults = self._checkpoint(lines)
            newest = max([newest, *(_version(path.name) for path in self.folder.glob("*.json"))])
        version = start + 1
        while version <= newest or self.entry(version).exists():
            fault = self._fault(version, lines.get(f"{version:020}.json"))
            if fault:
                faults.append(fault)
            elif not faults:
                self._verified = version
            version += 1
        return faults

    def forget(self, *, after: int) -> None:
        """Take the versions after one out of the journal, once `repair` has moved their files away."""
        kept = [line for line in self._raw(_KEPT_BYTES) if (found := _parsed(line)) and _version(found[0]) <= after]
        self._rewrite(kept)
        self._verified = -1

    def forget_file(self, name: str) -> None:
        """Take one file out of the journal."""
        kept = [line for line in self._raw(_KEPT_BYTES) if (found := _parsed(line)) and found[0] != name]
        self._rewrite(kept)

    def faults_before(self, version: int) -> list[LogFault]:
        """Compare the log that makes an older version, since the checkpoint before it, with the journal."""
        lines = self._lines(_KEPT_BYTES)
        checkpoints = [_version(path.name) for path in self.folder.glob("*.checkpoint.parquet")]
        start = max((number for number in checkpoints if number <= version), default=-1)
        found = [self._fault(number, lines.get(f"{number:020}.json")) for number in range(start + 1, version + 1)]
        return [fault for fault in found if fault]

    def trim(self) -> None:
        """Keep the newest part of a journal that has grown; only while nobody commits."""
        if self.journal.exists() and self.journal.stat().st_size > _KEPT_BYTES:
            self._rewrite(self._raw(_TAIL_BYTES))

    def origin(self, path: str) -> dict[str, int]:
        """Return the sources whose commit added a data file, and where that commit brought each of them."""
        for entry in sorted(self.folder.glob("*.json"), reverse=True):
            actions = list(intact(entry))
            if any(action.get("add", {}).get("path") == path for action in actions):
                return {action["txn"]["appId"]: action["txn"]["version"] for action in actions if "txn" in action}
        return {}

    def _checkpoint(self, lines: dict[str, _Line]) -> tuple[int, list[LogFault]]:
        """Return the version of the newest checkpoint, -1 if there is none, and what is wrong with it."""
        found = sorted(self.folder.glob("*.checkpoint.parquet"))
        if not found:
            return -1, []
        path, version = found[-1], _version(found[-1].name)
        expected = lines.get(path.name)
        wrong = _difference(path, expected) if expected else None
        return version, [LogFault(version, path.name, wrong)] if wrong else []

    def _fault(self, version: int, expected: _Line | None) -> LogFault | None:
        path = self.entry(version)
        if not path.exists():
            return LogFault(version, path.name, "missing")
        wrong = _difference(path, expected) if expected else _malformed(path)
        return LogFault(version, path.name, wrong) if wrong else None

    def _lines(self, size: int) -> dict[str, _Line]:
        parsed = [found for line in self._raw(size) if (found := _parsed(line))]
        return {name: line for name, line in parsed if _version(name) >= 0}

    def _raw(self, size: int) -> list[str]:
        """Return the lines at the end of the journal; the first may lack its beginning."""
        try:
            with self.journal.open("rb") as stream:
                stream.seek(max(0, stream.seek(0, os.SEEK_END) - size))
                return stream.read().decode("ascii", "replace").splitlines()
        except FileNotFoundError:
            return []

    def _append(self, lines: Iterable[str]) -> None:
        text = "".join(f"\n{line}" for line in lines)  # begins a line, where a full disk cut the one before
        try:
            file = os.open(self.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)
        except OSError as error:
            if error.errno not in _FULL:  # the commit is durable: without its line it is checked less strictly
                raise

    def _rewrite(self, lines: list[str]) -> None:
        write_durably(self.journal, "".join(f"\n{line}" for line in lines).encode())


def intact(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the actions of a log entry, up to the first line that cannot be read."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            action = json.loads(line)
        except ValueError:
            return
        if not isinstance(action, dict):
            return
        yield action


def sync(path: Path) -> bytes:
    """Make the bytes of a file outlive a power failure; return them."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return stream.read()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder outlive a power failure."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file as a whole, so that it outlives a power failure."""
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def _journal_line(path: Path, content: bytes) -> str:
    words = f"{path.name} {len(content)} {_checksum(content)}"
    return f"{words} {zlib.crc32(words.encode()):08x}"


def _parsed(line: str) -> tuple[str, _Line] | None:
    """Read a line of the journal; `None` for one that is itself damaged."""
    words, _, check = line.rpartition(" ")
    parts = words.split(" ")
    if len(parts) != 3 or check != f"{zlib.crc32(words.encode()):08x}":  # noqa: PLR2004 - name, size, checksum
        return None
    return parts[0], _Line(int(parts[1]), parts[2])


def _difference(path: Path, expected: _Line) -> str | None:
    content = path.read_bytes()
    if not content:
        return f"empty, {expected.size:,} bytes were committed"
    if len(content) != expected.size:
        return f"of {len(content):,} bytes, {expected.size:,} were committed"
    return None if _checksum(content) == expected.checksum else "not as it was committed: its checksum differs"


def _malformed(path: Path) -> str | None:
    """Say what is wrong with an entry that the journal does not know: one of other tools, or of an older Workbench."""
    lines = path.read_bytes().splitlines()
    if not lines:
        return "empty"
    return None if len(list(intact(path))) == len(lines) else "cut off, or no JSON"


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _version(name: str) -> int:
    return int(name[:20]) if name[:20].isdigit() else -1
