"""Checksums of data files, verified before a file is first used.

Parquet has no checksum of a whole file, and many flipped bits decode into another number without an error. The name of
a data file is therefore made of its checksums: BLAKE2b, which tells any two contents apart, and CRC-32C, which
processors compute fast enough to verify every file that a question reads. The log names the file and its size, so both
survive a copy of the folder, checkpoints, and restores.

A process verifies a file once, and again when its inode, times or size change.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import crc32c
import pyarrow as pa

from workbench.errors import StoreCorrupt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MISSING: Final = "missing"

MOST_REMEMBERED: Final = 200_000
"""Verified files that are remembered: a stream makes some 100,000 a day."""

_CHUNK: Final = 1 << 20
_NAME: Final = re.compile(r"(?P<blake2b>[0-9a-f]{32})(-(?P<crc32c>[0-9a-f]{8}))?")
_THREADS: Final = max(
    1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
)


class DataFile(Protocol):
    """A file of a table: where it lies in its folder, and its size in bytes by the log."""

    @property
    def path(self) -> str:
        """Relative to the folder of the table."""

    @property
    def size(self) -> int:
        """Bytes that were committed."""


class Checksums(NamedTuple):
    """Checksums in the name of a data file; `None` for one that the name does not record."""

    blake2b: str | None
    crc32c: str | None

    @classmethod
    def recorded(cls, path: str | Path) -> Checksums:
        """Read the checksums from the name of a file.

        >>> Checksums.recorded("month=2026-01/bucket=4/part-00000.snappy.parquet")
        Checksums(blake2b=None, crc32c=None)
        """
        match = _NAME.fullmatch(Path(path).stem)
        return cls(match["blake2b"], match["crc32c"]) if match else cls(None, None)

    @classmethod
    def of(cls, path: Path) -> Checksums:
        """Compute both checksums of a file."""
        strong, fast = hashlib.blake2b(digest_size=16), 0
        with path.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                strong.update(chunk)
                fast = crc32c.crc32c(chunk, fast)
        return cls(strong.hexdigest(), f"{fast:08x}")

    @property
    def name(self) -> str:
        """Name of a file with these checksums, without suffix."""
        return f"{self.blake2b}-{self.crc32c}"

    def difference(self, actual: Checksums) -> str | None:
        """Describe the first recorded checksum that differs; `None` if all agree."""
        for recorded, checksum in zip(self, actual, strict=True):
            if recorded is not None and recorded != checksum:
                return f"checksum {checksum}, {recorded} was committed"
        return None


class _Signature(NamedTuple):
    """What changes when a file is replaced or written to. `ctime` cannot be set back, as `mtime` can."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str) -> _Signature:
        status = os.stat(path)  # some hundred times a question: `Path` takes ten times as long
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


_verified: Final[dict[str, _Signature]] = {}
_lock: Final = threading.Lock()


def has_checksum(path: str | Path) -> bool:
    """Tell whether the name of a data file records its checksum: files of other programs have none."""
    return Checksums.recorded(path).blake2b is not None


def verify_sizes(root: Path, files: Iterable[DataFile]) -> None:
    """Compare the size of files with the log, without a look at their bytes.

    Raises:
        StoreCorrupt: A file is missing or of another size.
    """
    damaged: dict[str, str] = {}
    for file in files:
        try:
            size = os.stat(f"{root}/{file.path}").st_size
        except OSError as error:
            damaged[file.path] = _unreadable(error)
            continue
        if size != file.size:
            damaged[file.path] = _other_size(size, file.size)
    if damaged:
        raise StoreCorrupt(explanation(root, damaged))


def is_intact(path: Path) -> bool:
    """Tell whether the bytes of a file, which may be in no log, are those that its name records."""
    return has_checksum(path) and Checksums.recorded(path).difference(Checksums.of(path)) is None


def verify(root: Path, files: Iterable[DataFile]) -> None:
    """Verify files that were not verified by this process, or have changed since.

    Args:
        root: Folder of the table.
        files: Those that are about to be read. Of a file without recorded checksum only the size is compared.

    Raises:
        StoreCorrupt: A file is missing, or its size or checksum is not that of the log.
    """
    damaged: dict[str, str] = {}
    pending: list[DataFile] = []
    for file in files:
        path = f"{root}/{file.path}"
        try:
            signature = _Signature.of(path)
        except OSError as error:
            damaged[file.path] = _unreadable(error)
            continue
        if signature.size != file.size:
            damaged[file.path] = _other_size(signature.size, file.size)
        elif _verified.get(path) != signature:
            pending.append(file)
    if len(pending) > 1:
        largest_first = sorted(pending, key=lambda file: -file.size)
        with ThreadPoolExecutor(_THREADS) as pool:
            results = list(pool.map(lambda file: (file.path, _verified_damage(root, file)), largest_first))
    else:
        results = [(file.path, _verified_damage(root, file)) for file in pending]
    damaged |= {path: reason for path, reason in results if reason}
    if damaged:
        raise StoreCorrupt(explanation(root, damaged))


def forget() -> None:
    """Forget which files were verified, as in a new process."""
    with _lock:
        _verified.clear()


def damage(root: Path, file: DataFile) -> str | None:
    """Compare the size and every recorded checksum of a file, remembered or not; describe the first difference."""
    path = root / file.path
    try:
        size = path.stat().st_size
        if size != file.size:
            return _other_size(size, file.size)
        return Checksums.recorded(path).difference(Checksums.of(path))
    except OSError as error:
        return _unreadable(error)


def content(root: Path, file: DataFile) -> pa.Buffer:
    """Read a file whole and verify the very bytes that are returned.

    What is rewritten gets a new checksum, so no byte may change between its verification and its use.

    Raises:
        StoreCorrupt: It is missing or damaged.
    """
    path = root / file.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreCorrupt(explanation(root, {file.path: _unreadable(error)})) from error
    reason = _other_size(len(data), file.size) if len(data) != file.size else _difference(path, data)
    if reason:
        raise StoreCorrupt(explanation(root, {file.path: reason}))
    return pa.py_buffer(data)


def explanation(root: Path, damaged: Mapping[str, str]) -> str:
    """Name the first damaged file of some, what is wrong with it, and what to do."""
    path, reason = next(iter(damaged.items()))
    what = (
        f"{len(damaged)} file(s) of this version are not as they were committed; the first, {root / path}, is {reason}"
    )
    if all(reason == MISSING for reason in damaged.values()):
        return (
            f"{what}: if the version is old, vacuum has removed them, and the newest one can be opened; else run "
            "`workbench doctor --repair`"
        )
    return f"{what}: restore them, or run `workbench doctor --repair`, with --from FILE if their export is still there"


def _verified_damage(root: Path, file: DataFile) -> str | None:
    """Verify a file by the fastest checksum that its name records, and remember it if it is sound."""
    path = f"{root}/{file.path}"
    try:
        before = _Signature.of(path)
        reason = _fast_difference(Path(path))
        after = _Signature.of(path)
    except OSError as error:
        return _unreadable(error)
    if reason is None and before == after:
        _remember(path, after)
    return reason


def _remember(path: str, signature: _Signature) -> None:
    with _lock:
        _verified[path] = signature
        if len(_verified) > MOST_REMEMBERED:
            for oldest in list(_verified)[: MOST_REMEMBERED // 2]:
                del _verified[oldest]


def _fast_difference(path: Path) -> str | None:
    recorded = Checksums.recorded(path)
    if recorded.crc32c is None:
        return None if recorded.blake2b is None else recorded.difference(Checksums.of(path))
    checksum, chunk = 0, bytearray(_CHUNK)
    with path.open("rb", buffering=0) as stream:
        while length := stream.readinto(chunk):
            checksum = crc32c.crc32c(memoryview(chunk)[:length], checksum)
    return Checksums(None, recorded.crc32c).difference(Checksums(None, f"{checksum:08x}"))


def _difference(path: Path, data: bytes) -> str | None:
    recorded = Checksums.recorded(path)
    if recorded.crc32c is not None:
        return Checksums(None, recorded.crc32c).difference(Checksums(None, f"{crc32c.crc32c(data):08x}"))
    return recorded.difference(Checksums(hashlib.blake2b(data, digest_size=16).hexdigest(), None))


def _other_size(actual: int, committed: int) -> str:
    return f"{actual:,} bytes, {committed:,} bytes were committed"


def _unreadable(error: OSError) -> str:
    return MISSING if isinstance(error, FileNotFoundError) else f"unreadable ({error.strerror or error})"
