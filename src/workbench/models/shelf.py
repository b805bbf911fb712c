"""Where the files of models lie: a local folder, or a bucket through fsspec. Each file appears whole, or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shelf(Protocol):
    """A place for small files. Paths are relative, with slashes."""

    def read(self, path: str) -> bytes:
        """Return a file; `ModelError` if it cannot be read."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file in one step, in the place of the one that was there."""

    def names(self, folder: str) -> list[str]:
        """List what lies directly in a folder, sorted; nothing if there is no such folder."""


class Folder:
    """A local folder."""

    def __init__(self, root: Path) -> None:
        """Take the folder; it is made when something is written."""
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def read(self, path: str) -> bytes:
        """Return a file; see `Shelf.read`."""
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read {self.root / path}: {error.strerror}; train again or restore it") from error

    def write(self, path: str, content: bytes) -> None:
        """Write a file in one step; see `Shelf.write`."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.parent / f".partial-{uuid.uuid4().hex}"
        try:
            with scratch.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """List what lies in a folder; see `Shelf.names`."""
        home = self.root / folder
        return sorted(path.name for path in home.iterdir()) if home.is_dir() else []


class Bucket:
    """A prefix of a bucket, by a URL that fsspec knows, such as `s3://bucket/models`."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        """Take the URL, and what its file system needs to be told.

        Raises:
            ModelError: fsspec, or what it needs for this kind of URL, is not installed.
        """
        try:
            import fsspec  # noqa: PLC0415 - only who keeps models in a bucket has it
        except ImportError as error:
            raise ModelError(f"models at {url} need fsspec: install workbench[s3]") from error
        try:
            self._files, self.root = fsspec.core.url_to_fs(url, use_listings_cache=False, **(options or {}))
        except (ImportError, ValueError) as error:
            raise ModelError(f"cannot open {url}: {error}; for s3:// install workbench[s3]") from error
        self.url = url

    def __str__(self) -> str:
        return self.url

    def read(self, path: str) -> bytes:
        """Return a file; see `Shelf.read`."""
        try:
            return bytes(self._files.cat_file(f"{self.root}/{path}"))
        except Exception as error:  # each kind of storage has errors of its own
            raise ModelError(f"cannot read {self.url}/{path}: {error or type(error).__name__}") from error

    def write(self, path: str, content: bytes) -> None:
        """Write a file in one request, which is one step; see `Shelf.write`."""
        try:
            self._files.pipe_file(f"{self.root}/{path}", content)
        except Exception as error:  # each kind of storage has errors of its own
            raise ModelError(f"cannot write {self.url}/{path}: {error or type(error).__name__}") from error

    def names(self, folder: str) -> list[str]:
        """List what lies in a folder; see `Shelf.names`."""
        try:
            found = self._files.ls(f"{self.root}/{folder}".rstrip("/"), detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:  # each kind of storage has errors of its own
            raise ModelError(f"cannot list {self.url}/{folder}: {error or type(error).__name__}") from error
        return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)


def shelf(place: str | Path) -> Folder | Bucket:
    """Open a place by its path or URL."""
    return Bucket(str(place).rstrip("/")) if "://" in str(place) else Folder(Path(place))
