"""Versions of models in a folder or a bucket, verified before anything in them is parsed.

    <place>/<name>/<version>/manifest.json      what it is, and a checksum per file
    <place>/<name>/<version>/forest.skops …     the files of the model
    <place>/<name>/<version>/manifest.sig       the signature of the manifest, written last
    <place>/<name>/champion.json                the versions that have served, the present one last; signed as well

A version is named after the end of its training data and the checksum of its manifest, which holds the
checksums of its files: no byte can change without the name changing. What is not signed with the project's key is
not read at all.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Literal, Protocol, TypeVar

from workbench.errors import ModelError
from workbench.models import aliases, manifests
from workbench.models.aliases import AliasError, Serials, Turn
from workbench.models.manifests import Manifest
from workbench.models.shelf import shelf
from workbench.models.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

Alias = Literal["champion", "challenger"]
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
EXTRAS: Final = frozenset({"reference.json", "card.html"})
"""Files that a version may have beside those of its model: what its data looked like, and its card."""

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
class About:
    """What only the training knows of a model that it publishes; see `Manifest`."""

    trained_until: datetime
    data_version: str
    feature_version: str
    horizon_days: int
    metrics: dict[str, float]
    method: str = ""


class Registry:
    """The place of all models. Safe for several processes: versions appear whole, or not at all."""

    def __init__(self, place: str | Path, *, key: Path | None = None) -> None:
        """Take the place, and the file of the key: for a folder, one beside it if not given.

        Raises:
            ModelError: A bucket without a key, or one that cannot be opened.
        """
        self.shelf = shelf(place)
        if key is None and "://" in str(place):
            raise ModelError(f"models at {place} need a key that does not lie with them: set models_key")
        folder = Path(place)
        self.signer = Signer(key or folder.with_name(f"{folder.name}.key"))
        self._serials = Serials(self.signer.path, str(place) if "://" in str(place) else str(folder.resolve()))

    def publish(
        self,
        name: str,
        model: Model,
        *,
        about: About,
        alias: Alias | None = None,
        extras: Mapping[str, bytes] | None = None,
    ) -> Manifest:
        """Write a new version, and point the alias at it if one is given; `extras` are files of `EXTRAS`."""
        files = {**model.files(), **(extras or {})}
        manifest = Manifest(
            name=_checked(name, _NAME, "name"),
            kind=model.kind,
            features=tuple(model.feature_names_in_),
            code=code_version(),
            files={file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
            **vars(about),
        )
        home, content = f"{name}/{manifest.version}", manifest.to_json()
        signature = self.signer.sign("manifest", content)
        for file, written in {**files, MANIFEST: content, SIGNATURE: signature.encode()}.items():
            self.shelf.write(f"{home}/{file}", written)
        if alias is not None:
            self.promote(name, manifest.version, alias=alias)
        return manifest

    def promote(self, name: str, version: str, *, alias: Alias = "champion", why: str = "") -> None:
        """Point an alias at a version, in one step; an alias that is not what was written last begins anew with it.

        Raises:
            ModelError: There is no such version, or its manifest is not what was published.
        """
        self.manifest(name, version)
        try:
            turns = self.turns(name, alias)
        except AliasError:
            turns, why = [], f"{why}; the alias was not what was written last".removeprefix("; ")
        if not turns or turns[-1].version != version:
            self._point(name, alias, [*turns, Turn(version=version, at=datetime.now(UTC), why=why)])

    def rollback(self, name: str) -> Turn:
        """Let the version serve again that served before the present champion; return it.

        Raises:
            ModelError: There is none, or it is not intact.
        """
        turns = self.turns(name)
        if len(turns) < 2:  # noqa: PLR2004 - the present one, and one before it
            raise ModelError(f"no earlier champion of model {name!r} in {self.shelf} to go back to")
        self.intact(name, turns[-2].version)
        self._point(name, "champion", turns[:-1])
        return turns[-2]

    def names(self) -> list[str]:
        """List the models that have a version."""
        return [name for name in self.shelf.names("") if _NAME.fullmatch(name) and self.versions(name)]

    def versions(self, name: str) -> list[str]:
        """List the versions of a model, by the end of their training data."""
        home = _checked(name, _NAME, "name")
        found = [version for version in self.shelf.names(home) if _VERSION.fullmatch(version)]
        return [version for version in found if SIGNATURE in self.shelf.names(f"{home}/{version}")]

    def turns(self, name: str, alias: Alias = "champion") -> list[Turn]:
        """Return the versions that an alias has pointed at, the present one last; none if it never was.

        Raises:
            AliasError: The file of the alias is not what was written last, or is gone.
        """
        home, file = _checked(name, _NAME, "name"), f"{alias}.json"
        path = f"{home}/{file}"
        newest = self._serials.newest(path)  # before the file is read: another process may write both meanwhile
        if file not in self.shelf.names(home):
            if newest and self._intact_versions(name):
                raise self._alias_error(name, alias, "is gone")
            return []
        signature, _, content = self.shelf.read(path).partition(b"\n")
        if not self.signer.verify(f"{alias} of {name}", content, signature.decode("ascii", "replace")):
            raise self._alias_error(name, alias, f"is not signed with {self.signer.path}")
        turns, serial = aliases.from_json(content)
        if serial < newest:
            raise self._alias_error(name, alias, "is older than one that was used here: somebody put it back")
        self._serials.note(path, serial)
        return turns

    def _alias_error(self, name: str, alias: Alias, fault: str) -> AliasError:
        """Say what is wrong with an alias, and what to type."""
        path, versions = f"{self.shelf}/{name}/{alias}.json", self._intact_versions(name)
        if alias == "challenger" and versions:
            return AliasError(f"{path} {fault}; train again: workbench models train {name}")
        if versions:
            return AliasError(f"{path} {fault}; let a version serve: workbench models promote {name} {versions[-1]}")
        return AliasError(f"{path} {fault}, and no version is intact; remove {self.shelf}/{name} and train again")

    def _intact_versions(self, name: str) -> list[str]:
        intact = []
        for version in self.versions(name):
            try:
                self.intact(name, version)
            except ModelError:
                continue
            intact.append(version)
        return intact

    def resolve(self, name: str, alias: Alias = "champion") -> str:
        """Return the version that an alias points at.

        Raises:
            ModelError: The alias points at nothing.
        """
        turns = self.turns(name, alias)
        if not turns:
            raise ModelError(f"there is no {alias} of model {name!r} in {self.shelf}; train one first")
        return _checked(turns[-1].version, _VERSION, "version")

    def manifest(self, name: str, version: str) -> Manifest:
        """Read what a version is.

        Raises:
            ModelError: There is no such version, or its manifest is not the one that was published.
        """
        home = f"{_checked(name, _NAME, 'name')}/{_checked(version, _VERSION, 'version')}"
        content, signature = self.shelf.read(f"{home}/{MANIFEST}"), self.shelf.read(f"{home}/{SIGNATURE}")
        if not self.signer.verify("manifest", content, signature.decode("ascii", "replace")):
            raise ModelError(f"{self.shelf}/{home} is not signed with {self.signer.path}; train again or restore it")
        if f"-{hashlib.sha256(content).hexdigest()[:12]}" != version[8:]:
            raise ModelError(f"{self.shelf}/{home} is not what was published as {version}; train again or restore it")
        return manifests.parsed(name, f"{self.shelf}/{home}", content)

    def intact(self, name: str, version: str) -> tuple[Manifest, dict[str, bytes]]:
        """Return a version's manifest and files once every byte is verified; nothing of them was parsed.

        Raises:
            ModelError: It is missing or altered.
        """
        manifest = self.manifest(name, version)
        home = f"{name}/{version}"
        files = {file: self.shelf.read(f"{home}/{file}") for file in sorted(manifest.files)}
        for file, content in files.items():
            if hashlib.sha256(content).hexdigest() != manifest.files[file]:
                raise ModelError(f"{self.shelf}/{home}/{file} is not what was published; train again or restore it")
        return manifest, files

    def load(self, model: type[M], name: str, *, version: str | None = None) -> tuple[M, Manifest]:
        """Load a version, the champion when none is given.

        Raises:
            ModelError: It is missing, altered, of another kind, or its files hold something else.
        """
        manifest, files = self.intact(name, version or self.resolve(name))
        if manifest.kind != model.kind or not model.file_names <= set(files) <= model.file_names | EXTRAS:
            raise ModelError(f"{name} {manifest.version} is a {manifest.kind} model, not a {model.kind} model")
        return model.from_files({file: files[file] for file in model.file_names}, manifest.features), manifest

    def overview(self) -> pd.DataFrame:
        """Tabulate what serves: model, method, version, trained until when, days ahead, since when and why."""
        import pandas as pd  # noqa: PLC0415 - the registry itself needs none of it

        columns = ["model", "method", "version", "trained_until", "horizon_days", "served_since", "why", "refused"]
        rows: list[dict[str, object]] = []
        for name in self.names():
            try:
                turns = self.turns(name)
            except AliasError as error:
                rows.append({"model": name, "refused": str(error)})
                continue
            for turn in turns[-1:]:
                row = dict[str, object](model=name, version=turn.version, served_since=turn.at, why=turn.why)
                try:
                    manifest, _ = self.intact(name, turn.version)
                    row |= {
                        "method": manifest.method or manifest.kind,
                        "trained_until": manifest.trained_until,
                        "horizon_days": manifest.horizon_days,
                    }
                except ModelError as error:
                    row["refused"] = str(error)
                rows.append(row)
        return pd.DataFrame(rows, columns=columns)

    def diff(self, name: str, old: str, new: str) -> list[tuple[str, str, str]]:
        """Return in what two versions differ: what, of the old one, of the new one.

        Raises:
            ModelError: One is missing, or its manifest is not what was published.
        """
        return self.manifest(name, old).differences(self.manifest(name, new))

    def serving(self, model: type[M], name: str) -> Serving[M]:
        """Load the champion, or where it is not intact, the one that served before it.

        Raises:
            ModelError: None of those that ever served can be loaded.
        """
        refused = []
        for turn in reversed(self.turns(name)):
            try:
                loaded, manifest = self.load(model, name, version=turn.version)
            except ModelError as error:
                refused.append(str(error))
                continue
            return Serving(model=loaded, manifest=manifest, refused=tuple(refused))
        raise ModelError(
            refused[0] if refused else f"there is no champion of model {name!r} in {self.shelf}; train one"
        )

    def _point(self, name: str, alias: Alias, turns: list[Turn]) -> None:
        path = f"{name}/{alias}.json"
        with self._serials.alone():
            serial = self._serials.next(path)
            content = aliases.to_json(turns, serial)
            signature = self.signer.sign(f"{alias} of {name}", content)
            self.shelf.write(path, signature.encode() + b"\n" + content)
            self._serials.write(path, serial)


@dataclass(frozen=True, kw_only=True)
class Serving(Generic[M]):
    """A model that serves.

    Attributes:
        model: It.
        manifest: What it is.
        refused: Why newer champions do not serve; empty where the champion does.
    """

    model: M
    manifest: Manifest
    refused: tuple[str, ...] = ()


def code_version() -> str:
    """Hash the code of this room: eight hex digits."""
    digest = hashlib.blake2b(digest_size=4)
    room = resources.files("workbench.models")
    for folder in (room, room.joinpath("sql")):
        for file in sorted(folder.iterdir(), key=lambda item: item.name):
            if file.name.endswith((".py", ".sql")):
                digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _checked(text: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(text):
        raise ModelError(f"{text!r} is no {what} of a model; it must match {pattern.pattern}")
    return text
