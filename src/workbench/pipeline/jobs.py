"""What runs by the clock: jobs in YAML, each a command of this house with checked options; never a shell's line."""

from __future__ import annotations

import json
from functools import cached_property
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workbench import config
from workbench.errors import InvalidArgument, InvalidSettings
from workbench.metrics.arguments import duration, unknown, zone
from workbench.pipeline.cron import Cron
from workbench.reports import catalog, deliver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

Kind = Literal["run", "forecast", "retrain", "predict", "report", "compact", "expire", "vacuum"]
CatchUp = Literal["skip", "once", "all"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "run": ("run",),
    "forecast": ("run", "--only", "forecasting"),
    "retrain": ("models", "retrain"),
    "predict": ("models", "predict"),
    "report": ("report", "run"),
    "compact": ("lake", "compact"),
    "expire": ("lake", "expire"),
    "vacuum": ("lake", "vacuum"),
}
_OPTIONS: Final[dict[str, dict[str, type]]] = {
    "run": {"source": str, "mapping": str, "date": str, "only": str, "force": bool, "set": dict},
    "forecast": {"set": dict},
    "retrain": {"models": list},
    "predict": {"kafka": bool},
    "report": {"report": str, "set": dict},
    "compact": {"full": bool},
    "expire": {"days": int, "yes": bool},
    "vacuum": {},
}
"""What each kind takes, beside what is common to all."""


class Job(BaseModel):
    """One thing that runs by the clock.

    Attributes:
        kind: Which command it is.
        schedule: When: cron's five fields, or `@hourly`, `@daily`, `@weekly`, `@monthly`.
        timezone: Of the schedule; the settings' if none.
        options: What the command is given.
        timeout: How long an attempt may take, such as `2h`.
        memory_mb: How much memory all its processes may take together.
        retries: How often it is tried again when it failed.
        retry_delay: How long after.
        catch_up: What becomes of times that were missed: none runs, the last one, or the last `catch_up_most`.
        notify: Who is told when it has failed for good, beside those of the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    kind: Kind
    schedule: str
    timezone: str
    options: dict[str, Any] = {}
    timeout: str = "2h"
    memory_mb: int | None = Field(default=None, ge=64)
    retries: int = Field(default=1, ge=0, le=20)
    retry_delay: str = "5m"
    catch_up: CatchUp = "once"
    catch_up_most: int = Field(default=24, ge=1, le=1000)
    notify: tuple[str, ...] = ()

    @field_validator("timeout", "retry_delay")
    @classmethod
    def _length(cls, value: str) -> str:
        _checked(lambda: duration(value, name="this"))
        return value

    @field_validator("notify")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            _checked(lambda address=address: deliver.check(address))
        return value

    @model_validator(mode="after")
    def _fits(self) -> Job:
        _checked(lambda: self.cron)
        known = _OPTIONS[self.kind]
        for name, value in self.options.items():
            if name not in known:
                told = unknown(name, known) if known else f"{name!r}: it takes none"
                raise ValueError(f"a job of kind {self.kind} has no option {told}")
            if not isinstance(value, known[name]) or (known[name] is int and isinstance(value, bool)):
                raise ValueError(f"option {name} of kind {self.kind} is a {known[name].__name__}, not {value!r}")
        if self.kind == "report" and not self.options.get("report"):
            raise ValueError("a job of kind report names it: options: {report: weekly_product}")
        return self

    @cached_property
    def cron(self) -> Cron:
        """When it is due."""
        return Cron.parsed(self.schedule, zone(self.timezone))

    @property
    def command(self) -> list[str]:
        """The words after `workbench`; each value is one word, so that none can pass for an option or a command."""
        words = list(_WORDS[self.kind])
        for name, value in self.options.items():
            if name == "report":
                words += [*(["--deliver"] if self._is_sent(str(value)) else []), "--", value]
            elif isinstance(value, bool):
                words += [f"--{name}"] if value else []
            elif isinstance(value, list):
                words += ["--", *map(str, value)]
            elif isinstance(value, dict):
                at = len(_WORDS[self.kind])  # before the `--` of what is no option
                words[at:at] = assigned(value)
            else:
                words.append(f"--{name}={value}")
        return words

    @staticmethod
    def _is_sent(report: str) -> bool:
        known = catalog.load()
        return report not in known or bool(known[report].to)

    def missed(self, since: datetime, now: datetime) -> list[datetime]:
        """Return the instants after `since`, up to now, at which it was due."""
        return self.cron.between(since, now)


def assigned(values: Mapping[str, object]) -> list[str]:
    """Write values as the words by which a command is given them; each value is JSON, which is YAML."""
    return [f"--set={name}={json.dumps(value)}" for name, value in values.items()]


class Schedule(BaseModel):
    """All jobs of a file.

    Attributes:
        at_once: How many run side by side.
        notify: Who is told of every job that failed for good.
        jobs: By name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int = Field(default=2, ge=1, le=32)
    notify: tuple[str, ...] = ()
    jobs: tuple[Job, ...]

    def job(self, name: str) -> Job:
        """Return a job by its name.

        Raises:
            InvalidArgument: There is none of that name.
        """
        found = {job.name: job for job in self.jobs}
        if name not in found:
            raise InvalidArgument(f"no job {unknown(name, found)}")
        return found[name]


def load(path: Path | None = None, *, timezone: str | None = None) -> Schedule:
    """Read the jobs.

    Args:
        path: The file; `schedule.yaml` of the project if there is one, else what comes along.
        timezone: Of jobs that name none; the settings' if not given.

    Raises:
        InvalidSettings: The file is missing, no YAML, or says what cannot be done.
    """
    settings = config.load()
    own = path or config.resolved(settings.schedule)
    if path is not None and not path.is_file():
        raise InvalidSettings(f"no schedule {path}")
    zone_name = timezone or settings.timezone
    found = parsed(config.read_yaml(own, otherwise=_shipped()), name=str(own), timezone=zone_name)
    jobs = [job for job in found.jobs if settings.retention_days or not _needs_retention(job)]
    return found.model_copy(update={"jobs": (*jobs, *_of_reports(found, zone_name))})


def _needs_retention(job: Job) -> bool:
    """Whether a job drops events of the age that the setting names: without one nothing expires, so it is no job."""
    return job.kind == "expire" and "days" not in job.options


def _of_reports(found: Schedule, timezone: str) -> list[Job]:
    """Return a job for each report of the catalog that has a schedule, but for those that the file names itself."""
    named = {job.options.get("report") for job in found.jobs} | {job.name for job in found.jobs}
    return [
        Job(
            name=report.name, kind="report", schedule=report.schedule, timezone=report.timezone or timezone,
            options={"report": report.name},
        )
        for report in catalog.load().values()
        if report.schedule is not None and report.name not in named
    ]  # fmt: skip


def parsed(told: object, *, name: str, timezone: str) -> Schedule:
    """Check what a file says.

    Raises:
        InvalidSettings: It says what cannot be done; every fault is named.
    """
    if not isinstance(told, dict) or not isinstance(told.get("jobs"), dict):
        raise InvalidSettings(f"{name} must hold `jobs:`, each by its name")
    defaults = {"timezone": told.get("timezone", timezone)}
    jobs, faults = list[Job](), list[str]()
    for key, given in told["jobs"].items():
        try:
            jobs.append(
                Job(**{"name": str(key), **defaults, **(given if isinstance(given, dict) else {"kind": given})})
            )
        except ValidationError as error:
            faults.append(config.explained(error, unknown=_UNKNOWN, within=str(key)))
        except TypeError as error:
            faults.append(f"{key}: {error}")
    rest = {key: value for key, value in told.items() if key not in {"jobs", "timezone"}}
    try:
        schedule = Schedule(jobs=tuple(jobs), **rest)
    except ValidationError as error:
        faults.append(config.explained(error, unknown=" is not known"))
    except TypeError as error:
        faults.append(str(error))
    if faults:
        raise InvalidSettings(f"{name}: {'; '.join(faults)}")
    return schedule


def _shipped() -> str:
    return (resources.files("workbench.pipeline") / "schedule.yaml").read_text(encoding="utf-8")


def _checked(look: Any) -> None:  # noqa: ANN401 - a function without arguments
    try:
        look()
    except InvalidArgument as error:
        raise ValueError(str(error)) from error


_UNKNOWN: Final = f" is not known; a job has {', '.join(Job.model_fields)}"
