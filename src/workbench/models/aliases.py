"""Aliases of the registry as files: signed, numbered, and compared with the newest one that was used here.

A signature says who wrote an alias, not when: who can write into the registry could put an older one back, and an
old model would serve. Every alias has a serial number within what is signed, and the newest number that this machine
has met is kept beside the key, where who can only write into the registry cannot.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import secrets
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LOG: Final = logging.getLogger(__name__)
_UNNOTICED: Final = "an older alias that is put back will not be noticed: cannot write %s: %s"


class AliasError(ModelError):
    """An alias is not what was written last; the message says what to type."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A version that an alias was pointed at: which, when, and why."""

    version: str
    at: datetime
    why: str = ""


def to_json(turns: Sequence[Turn], serial: int) -> bytes:
    """Return the content of an alias that has pointed at these versions, the present one last."""
    rows = [{**asdict(turn), "at": turn.at.isoformat()} for turn in turns]
    return json.dumps({"serial": serial, "turns": rows}, indent=1).encode()


def from_json(content: bytes) -> tuple[list[Turn], int]:
    """Return the versions of an alias, and its serial number: 0 before there were any."""
    read: Any = json.loads(content)
    rows, serial = (read, 0) if isinstance(read, list) else (read["turns"], int(read["serial"]))
    return [Turn(**{**row, "at": datetime.fromisoformat(row["at"])}) for row in rows], serial


class Serials:
    """The newest serial number of each alias of one registry that this machine has met, a small file for each."""

    def __init__(self, key: Path, place: str) -> None:
        """Take the file of the key, beside which they lie, and the place of the registry."""
        self._folder, self._place = key.with_name(f"{key.name}.aliases"), place

    def newest(self, alias: str) -> int:
        """Return the newest number of an alias; 0 if it was never met."""
        try:
            return int(self._file(alias).read_text("ascii"))
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot read {self._file(alias)}: {error}; remove it") from error

    def next(self, alias: str) -> int:
        """Return a number for an alias that is written now: larger than all of before, on other machines too."""
        return max(self.newest(alias) + 1, time.time_ns() // 1_000)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes of this machine from writing an alias within the block."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("a")
        except OSError as error:
            _LOG.warning(_UNNOTICED, self._folder, error)
            yield
            return
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def note(self, alias: str, serial: int) -> None:
        """Keep a number, if it is the newest."""
        if serial > self.newest(alias):
            with self.alone():
                self.write(alias, serial)

    def write(self, alias: str, serial: int) -> None:
        """Keep a number, if it is the newest; to be called within `alone`."""
        if serial <= self.newest(alias):
            return
        file = self._file(alias)
        scratch = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
        try:
            scratch.write_text(str(serial), "ascii")
            os.replace(scratch, file)
        except OSError as error:  # a key on a read-only disk: aliases are verified, but not compared
            _LOG.warning(_UNNOTICED, file, error)

    def _file(self, alias: str) -> Path:
        return self._folder / hashlib.sha256(f"{self._place}\0{alias}".encode()).hexdigest()[:32]
