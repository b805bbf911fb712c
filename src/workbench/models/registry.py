"""Versions of models on disk, checked before anything in them is parsed.

    <folder>/<name>/<version>/manifest.json     what it is, and a checksum per file
    <folder>/<name>/<version>/forest.skops …    the files of the model
    <folder>/<name>/champion                    the version that serves

A version is named after the end of its training data and the checksum of its manifest, which holds the
checksums of its files: no byte can change without the name changing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeVar

from workbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Alias = Literal["champion", "challenger"]
MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VERSION: Final = re.compile(r"\d{8}-[0-9a-f]{12}")


class Model(Protocol):
    """What the registry can keep: a model that turns into files without code, and back."""

    kind: ClassVar[str]
    file_names: ClassVar[frozenset[str]]
    feature_names_in_: tuple[str, ...]

    def files(self) -> dict[str, bytes]:
        """Return the files, named as in `file_names`."""

    @classmethod
    def from_files(cls: type[M], files: Mapping[str, bytes], features: tuple[str, ...]) -> M:
        """Rebuild the model; `ModelError` if the files do not hold one."""


M = TypeVar("M", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What one version is.

    Attributes:
        name: Of the model.
        kind: Which class reads it.
        trained_until: End of the data it saw, exclusive.
        data_version: Version of the events.
        features: Names, in order.
        feature_version: Of their definition.
        horizon_days: How far ahead it looks.
        metrics: By name, out of time.
        code: Hash of the code that trained it.
        files: Checksum (SHA-256) by file name.
        format: Of the manifest.
    """

    name: str
    kind: str
    trained_until: datetime
    data_version: str
    features: tuple[str, ...]
    feature_version: str
    horizon_days: int
    metrics: dict[str, float]
    code: str
    files: dict[str, str]
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Return the same bytes for equal manifests."""
        fields = {**asdict(self), "trained_until": self.trained_until.isoformat()}
        return json.dumps(fields, indent=1, sort_keys=True).encode()

    @property
    def version(self) -> str:
        """The name of the version."""
        return f"{self.trained_until:%Y%m%d}-{hashlib.sha256(self.to_json()).hexdigest()[:12]}"


@dataclass(frozen=True, kw_only=True)
class About:
    """What only the training knows of a model that it publishes; see `Manifest`."""

    trained_until: datetime
    data_version: str
    feature_version: str
    horizon_days: int
    metrics: dict[str, float]


class Registry:
    """The folder of all models. Safe for several processes: versions appear whole, or not at all."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when something is published."""
        self.folder = folder

    def publish(self, name: str, model: Model, *, about: About, alias: Alias | None = None) -> Manifest:
        """Write a new version, and point the alias at it if one is given."""
        files = model.files()
        manifest = Manifest(
            name=_checked(name, _NAME, "name"),
            kind=model.kind,
            features=tuple(model.feature_names_in_),
            code=code_version(),
            files={file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
            **vars(about),
        )
        home = self.folder / name
        home.mkdir(parents=True, exist_ok=True)
        scratch = _scratch(home)
        scratch.mkdir()
        try:
            for file, content in {**files, MANIFEST: manifest.to_json()}.items():
                _write(scratch / file, content)
            if not (home / manifest.version).exists():
                os.replace(scratch, home / manifest.version)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if alias is not None:
            self.promote(name, manifest.version, alias=alias)
        return manifest

    def promote(self, name: str, version: str, *, alias: Alias = "champion") -> None:
        """Point an alias at a version, in one step.

        Raises:
            ModelError: There is no such version, or it is not intact.
        """
        self.manifest(name, version)
        scratch = _scratch(self.folder / name)
        _write(scratch, f"{version}\n".encode())
        os.replace(scratch, self.folder / name / alias)

    def versions(self, name: str) -> list[str]:
        """List the versions of a model, by the end of their training data."""
        home = self.folder / _checked(name, _NAME, "name")
        return sorted(path.name for path in home.glob("*/") if _VERSION.fullmatch(path.name)) if home.is_dir() else []

    def resolve(self, name: str, alias: Alias = "champion") -> str:
        """Return the version that an alias points at.

        Raises:
            ModelError: The alias points at nothing.
        """
        try:
            version = (self.folder / _checked(name, _NAME, "name") / alias).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"there is no {alias} of model {name!r} in {self.folder}; train one first") from error
        return _checked(version, _VERSION, "version")

    def manifest(self, name: str, version: str) -> Manifest:
        """Read what a version is.

        Raises:
            ModelError: There is no such version, or its manifest is not the one that was published.
        """
        path = self.folder / _checked(name, _NAME, "name") / _checked(version, _VERSION, "version") / MANIFEST
        content = _read(path)
        if f"-{hashlib.sha256(content).hexdigest()[:12]}" != version[8:]:
            raise ModelError(f"{path} is not what was published as {version}; train again or restore it")
        try:
            fields = json.loads(content)
            fields["trained_until"] = datetime.fromisoformat(fields["trained_until"])
            manifest = Manifest(**{**fields, "features": tuple(fields["features"])})
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"{path} is no manifest of this Workbench: {error}") from error
        if manifest.name != name or manifest.format != FORMAT:
            raise ModelError(f"{path} is of model {manifest.name!r}, format {manifest.format}, not {name!r}, {FORMAT}")
        return manifest

    def load(self, model: type[M], name: str, *, version: str | None = None) -> tuple[M, Manifest]:
        """Load a version, the champion when none is given.

        Raises:
            ModelError: It is missing, altered, of another kind, or its files hold something else.
        """
        manifest = self.manifest(name, version or self.resolve(name))
        if manifest.kind != model.kind or set(manifest.files) != model.file_names:
            raise ModelError(f"{name} {manifest.version} is a {manifest.kind} model, not a {model.kind} model")
        folder = self.folder / name / manifest.version
        files = {file: _read(folder / file) for file in sorted(model.file_names)}
        for file, content in files.items():
            if hashlib.sha256(content).hexdigest() != manifest.files[file]:
                raise ModelError(f"{folder / file} is not what was published; train again or restore it")
        return model.from_files(files, manifest.features), manifest


def code_version() -> str:
    """Hash the code of this room: eight hex digits."""
    digest = hashlib.blake2b(digest_size=4)
    room = resources.files("workbench.models")
    for folder in (room, room.joinpath("sql")):
        for file in sorted(folder.iterdir(), key=lambda item: item.name):
            if file.name.endswith((".py", ".sql")):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _scratch(home: Path) -> Path:
    return home / f".partial-{uuid.uuid4().hex}"


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}; train again or restore it") from error


def _checked(text: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(text):
        raise ModelError(f"{text!r} is no {what} of a model; it must match {pattern.pattern}")
    return text
