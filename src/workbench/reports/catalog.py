"""The reports that there are: each a notebook, what it may be asked for, when, for whom, and in which formats."""

from __future__ import annotations

from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workbench import config
from workbench.errors import InvalidArgument, InvalidSettings
from workbench.metrics.arguments import unknown
from workbench.reports import deliver, parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Format = Literal["html", "pdf", "png"]
GIVEN: Final = ("lake", "known_at", "until")
"""What every report takes, and what makes it the same again: which events, as known when, up to which day."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list,),
}  # fmt: skip


class Parameter(BaseModel):
    """One thing that a report may be asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["str", "int", "float", "bool", "list"]
    default: Any
    min: float | None = None
    max: float | None = None
    choices: tuple[Any, ...] = ()

    @model_validator(mode="after")
    def _default_fits(self) -> Parameter:
        if fault := self.fault(self.default):
            raise ValueError(f"the default {fault}")
        return self

    def fault(self, value: object) -> str:
        """Say what is wrong with a value; empty if nothing is."""
        if not isinstance(value, _TYPES[self.type]) or (isinstance(value, bool) and self.type != "bool"):
            return f"must be of type {self.type}, not {value!r}"
        if not parameters.is_finite(value):
            return f"must be a finite number, not {value!r}"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(map(repr, self.choices))}, not {value!r}"
        if isinstance(value, int | float) and self.min is not None and value < self.min:
            return f"must be at least {self.min:g}, not {value!r}"
        if isinstance(value, int | float) and self.max is not None and value > self.max:
            return f"must be at most {self.max:g}, not {value!r}"
        if isinstance(value, list) and not all(isinstance(each, str | int | float) for each in value):
            return f"must be a list of texts and numbers, not {value!r}"
        return ""


class Report(BaseModel):
    """One report.

    Attributes:
        title: As people read it.
        notebook: Its file, from the project's folder.
        parameters: What it may be asked for, beside the day that it ends before.
        schedule: When `workbench schedule` makes and sends it; never if none.
        timezone: Of the schedule.
        to: Who gets it.
        formats: What it is made as.
        tiles: Which figures become a picture of their own: the cells that have these tags.
        timeout_seconds: How long one cell may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: str = Field(min_length=1, max_length=120)
    notebook: str
    parameters: dict[Name, Parameter] = {}
    schedule: str | None = None
    timezone: str | None = None
    to: tuple[str, ...] = ()
    formats: tuple[Format, ...] = ("html", "pdf")
    tiles: tuple[Name, ...] = ()
    timeout_seconds: int = Field(default=1800, ge=1)

    @field_validator("notebook")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or path.suffix != ".ipynb":
            raise ValueError(
                f"{value!r} must be a notebook inside of the project, such as notebooks/reports/mine.ipynb"
            )
        return value

    @field_validator("to")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(map(deliver.check, value))
        except InvalidArgument as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _free(self) -> Report:
        if taken := self.parameters.keys() & {*GIVEN, "upstream", "product"}:
            raise ValueError(f"{min(taken)!r} is given to every report, and no parameter of its own")
        return self

    @property
    def path(self) -> Path:
        """The notebook."""
        return config.resolved(self.notebook)

    def values(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return what the notebook is run with: the defaults, and over them what was given.

        Raises:
            InvalidArgument: A name is not known or a value not allowed, or the notebook does not declare one of them.
        """
        for name, value in given.items():
            if name not in self.parameters:
                told = unknown(name, self.parameters) if self.parameters else f"{name!r}: it takes none"
                raise InvalidArgument(f"report {self.name} has no parameter {told}")
            if fault := self.parameters[name].fault(value):
                raise InvalidArgument(f"report {self.name}: {name} {fault}")
        chosen = {name: parameter.default for name, parameter in self.parameters.items()} | dict(given)
        parameters.check(self.path, chosen)
        declared = parameters.declared(self.path)
        if missing := [name for name in GIVEN if name not in declared]:
            raise InvalidArgument(f"{self.notebook} must declare {', '.join(missing)} among its parameters")
        return chosen


def load(path: Path | None = None) -> dict[str, Report]:
    """Read the catalog.

    Args:
        path: The file; that of the settings if it is there, else what comes along.

    Returns:
        The reports, by name.

    Raises:
        InvalidSettings: The file is missing, no YAML, or says what cannot be done; every fault is named.
    """
    own = path or config.resolved(config.load().catalog)
    if path is not None and not path.is_file():
        raise InvalidSettings(f"no catalog {path}")
    return parsed(config.read_yaml(own, otherwise=shipped()), name=str(own))


def parsed(told: object, *, name: str) -> dict[str, Report]:
    """Check what a file of the name says.

    Raises:
        InvalidSettings: It says what cannot be done.
    """
    if not isinstance(told, dict) or set(told) != {"reports"} or not isinstance(told["reports"], dict):
        raise InvalidSettings(f"{name} must hold `reports:`, each by its name, and nothing else")
    found = {}
    for each, given in told["reports"].items():
        try:
            found[str(each)] = Report(name=each, **given)
        except ValidationError as error:
            raise InvalidSettings(
                f"{name}: report {each!r}: {config.explained(error, unknown=' is not known')}"
            ) from error
        except TypeError as error:
            raise InvalidSettings(f"{name}: report {each!r}: {error}") from error
    return found


def report(name: str) -> Report:
    """Return one report.

    Raises:
        InvalidArgument: There is none of that name.
    """
    known = load()
    if name not in known:
        raise InvalidArgument(f"no report {unknown(name, known)}")
    return known[name]


def shipped() -> str:
    """Return the catalog that comes along."""
    return (resources.files("workbench.reports") / "reports.yaml").read_text(encoding="utf-8")
