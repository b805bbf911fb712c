"""The files to ingest: which there are, what format they have, and how they are opened."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import shutil
import sys
import tempfile
import uuid
import zlib
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import pyarrow as pa

from workbench.errors import SourceError
from workbench.ingest.chunks import json_chunks, parquet_chunks
from workbench.ingest.csvs import csv_chunks

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator
    from typing import BinaryIO

    from workbench.ingest.chunks import Chunk

STDIN: Final = "-"
FORMATS: Final = ("jsonl", "csv", "parquet")
_ENDINGS: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"
_FOREIGN: Final = {
    _PARQUET: "is a Parquet file: say so with the format `parquet`",
    b"PK\x03\x04": "is a ZIP archive: unzip it, and ingest the folder (a workbook of Excel: save it as CSV)",
    b"\xd0\xcf\x11\xe0": "is an old Excel workbook: save it as CSV",
    b"BZh": "is packed by bzip2: unpack it first",
    b"\xfd7zXZ": "is packed by xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "is packed by zstd: unpack it first",
    b"7z\xbc\xaf": "is a 7z archive: unpack it, and ingest the folder",
    b"Rar!": "is a RAR archive: unpack it, and ingest the folder",
    b"SQLite f": "is an SQLite database: export its table as CSV",
    b"Obj\x01": "is an Avro file: convert it to Parquet",
    b"ARROW1": "is an Arrow file: convert it to Parquet",
    b"\xff\xfe": "is UTF-16 text: save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text: save it as UTF-8",
}
_BLOCK: Final = 1 << 20
_LOOKED_AT: Final = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """One file, or standard input.

    Attributes:
        path: Where it is; `None` for standard input.
        format: One of `FORMATS`.
    """

    path: Path | None
    format: str

    @property
    def name(self) -> str:
        """What a person calls it."""
        if self.path is None:
            return "standard input"
        return str(self.path).encode(errors="backslashreplace").decode()  # names of files need not be UTF-8

    @property
    def size(self) -> int | None:
        """Bytes on disk; `None` if nobody knows."""
        return self.path.stat().st_size if self.path else None

    def fingerprint(self) -> str:
        """Name the content: the same bytes have the same name; standard input has a new one each time."""
        if self.path is None:
            return f"stdin{uuid.uuid4().hex}"
        state = hashlib.blake2b(digest_size=16)
        try:
            with self._opened() as stream:
                while block := stream.read(_BLOCK):
                    state.update(block)
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error}") from error
        return state.hexdigest()

    def state(self) -> tuple[int, int] | None:
        """Return what changes when somebody writes to the file, or takes it away."""
        if self.path is None or not self.path.exists():
            return None
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    def chunks(self, *, start: int = 0, whole: bool = True) -> Iterator[tuple[Chunk, int]]:
        """Cut the file; with each chunk comes how many bytes of the file were read by then.

        Args:
            start: Rows before this position may be left out, where that saves reading them.
            whole: Leave out none.

        Raises:
            SourceError: The file cannot be read, or not to its end; all whole rows before come first.
        """
        try:
            with self._opened() as raw, _unpacked(raw) as stream:
                self._recognised(stream.peek(8))
                size = self.size
                for chunk in self._cut(stream, start=start, whole=whole):
                    done = 0 if size is None else raw.tell() if chunk.share is None else int(chunk.share * size)
                    yield chunk, done
        except SourceError as error:
            raise SourceError(f"{self.name}: {error}") from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise SourceError(f"{self.name} is not gzipped to its end, it was cut off or damaged: {error}") from error
        except (OSError, pa.ArrowException, OverflowError, ValueError) as error:
            raise SourceError(f"cannot read {self.name} as {self.format}: {error}") from error

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        return self.path.open("rb") if self.path else nullcontext(sys.stdin.buffer)

    def _recognised(self, head: bytes) -> None:
        advice = _advice(head)
        if advice and not (head.startswith(_PARQUET) and self.format == "parquet"):
            raise SourceError(advice)

    def _cut(self, stream: io.BufferedReader, *, start: int, whole: bool) -> Iterator[Chunk]:
        if self.format == "jsonl":
            return json_chunks(stream)
        if self.format == "csv":
            return csv_chunks(stream)
        return self._parquet(stream, start=start, whole=whole)

    def _parquet(self, stream: io.BufferedReader, *, start: int, whole: bool) -> Iterator[Chunk]:
        """Cut a Parquet file, which is read from its end: what cannot seek is copied to disk first."""
        if self.path and not isinstance(stream, gzip.GzipFile):
            yield from parquet_chunks(self.path, start=start, whole=whole)
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(stream, copy, _BLOCK)
            yield from parquet_chunks(copy, start=start, whole=whole)


def find(path: str | Path, *, format: str | None = None) -> list[Source]:
    """List the files that a path means, in order of their names.

    Args:
        path: A file; a folder, for the files in it with an ending that is known; or `-`, standard input.
        format: One of `FORMATS`, for all of them, whatever their endings.

    Raises:
        SourceError: There is nothing to read.
    """
    if format is not None and format not in FORMATS:
        raise SourceError(f"no format {format!r}: there are {', '.join(FORMATS)}")
    if str(path) == STDIN:
        return [Source(None, format or "jsonl")]
    path = Path(path).expanduser()
    if path.is_dir():
        return _in_folder(path, format)
    if not path.is_file():
        raise SourceError(f"no file or folder {path}{_nearest(path)}")
    known = format or _format_of(path)
    if known is None:
        if advice := _advice(_head(path)):
            raise SourceError(f"{path} {advice}")
        raise SourceError(f"{path}: say its format ({', '.join(FORMATS)}), its name ends in none of {_endings()}")
    return [Source(path, known)]


def _in_folder(folder: Path, format: str | None) -> list[Source]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith((".", "_")))
    found = [Source(file, known) for file in files if (known := format or _format_of(file))]
    if not found:
        raise SourceError(f"no file in {folder} ends in {_endings()}{_inside(folder, files)}")
    return found


def _inside(folder: Path, files: list[Path]) -> str:
    """Say where events may be instead: in folders further inside, or in archives."""
    inner = islice((file for file in folder.rglob("*") if file.is_file() and _format_of(file)), _LOOKED_AT)
    folders = sorted({str(file.parent.relative_to(folder)) for file in inner})
    if folders:
        return f"; name one of its folders: {', '.join(folders[:5])}"
    empty = sorted(inner.name for inner in folder.iterdir() if inner.is_dir())
    if empty:
        return f"; name one of its folders: {', '.join(empty[:5])}"
    packed = next(((file, advice) for file in files if (advice := _advice(_head(file)))), None)
    return f"; {packed[0].name} {packed[1]}" if packed else ""


def _nearest(path: Path) -> str:
    """Suggest a file of the same folder, for a name that was mistyped."""
    if not path.parent.is_dir():
        return ""
    names = [file.name for file in islice(path.parent.iterdir(), _LOOKED_AT)]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(8)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error}") from error


def _advice(head: bytes) -> str | None:
    """Say what to do with a file of another kind, by the bytes that it begins with."""
    return next((advice for mark, advice in _FOREIGN.items() if head.startswith(mark)), None)


def _format_of(path: Path) -> str | None:
    return _ENDINGS.get(Path(path.name.lower().removesuffix(".gz")).suffix)


def _endings() -> str:
    return ", ".join(_ENDINGS) + " (or these with .gz)"


def _unpacked(raw: BinaryIO) -> AbstractContextManager[io.BufferedReader]:
    """Unzip what begins as gzip does, whatever its name."""
    stream = cast("io.BufferedReader", raw)
    if stream.peek(2).startswith(_GZIP):
        return cast("AbstractContextManager[io.BufferedReader]", gzip.GzipFile(fileobj=raw))
    return nullcontext(stream)
