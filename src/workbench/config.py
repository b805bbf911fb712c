"""Settings: from `workbench.yaml`, over it `WORKBENCH_*` variables. The only reader of the environment.

Relative paths are taken from the project's folder, so that a notebook, a scheduled run and a command
in any sub-folder mean the same lake.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from workbench.errors import InvalidSettings
from workbench.texts import check_text
from workbench.times import EPOCH, EVENTS_SINCE, TimeRules, localized

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS_FILE: Final = "workbench.yaml"
Topic = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")]
_STORE: Final = "WORKBENCH_STORE"
Often = Literal["daily", "weekly", "monthly", "never"]
_PASSWORD: Final = re.compile(r"://[^/@\s:]*:([^@\s]+)@")
_SECRETIVE: Final = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|CREDENTIAL", re.IGNORECASE)
_LEAST_SECRET: Final = 6
"""Letters of the shortest secret that is looked for: a shorter one would blank out words."""

_MARKS: Final = (SETTINGS_FILE, "pipeline.yaml")


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; use a name such as 'UTC' or 'Europe/Berlin'")
    return name


class EngagementWeights(BaseModel):
    """How much each kind of activity counts in the engagement score; only their proportions matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    messages: float = Field(default=0.4, ge=0)
    session_time: float = Field(default=0.2, ge=0)
    raids: float = Field(default=0.25, ge=0)
    ai: float = Field(default=0.15, ge=0)


class TrainingSettings(BaseModel):
    """When models are trained again, and when a new one serves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engagement: Often = "daily"
    churn: Often = "weekly"
    ltv: Often = "monthly"
    next_action: Often = "weekly"
    threshold: float = Field(default=0.85, gt=0, le=1)
    drift: float = Field(default=0.25, gt=0)
    margin: float = Field(default=0.01, ge=0, lt=1)


class TokenPrice(BaseModel):
    """USD per million tokens of a model. Cached input costs what other input does, unless it is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)


class DashboardSettings(BaseModel):
    """How often pages look for news, how long an answer is kept, and how many visitors have a kernel at once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refresh_seconds: float = Field(default=5.0, ge=1)
    cache_seconds: float = Field(default=60.0, ge=0)
    visitors: int = Field(default=8, ge=1, le=1000)
    kernels_per_browser: int = Field(default=6, ge=1, le=1000)
    warm: int = Field(default=1, ge=0, le=20)
    idle_seconds: int = Field(default=60, ge=10)
    token: SecretStr | None = Field(default=None, min_length=16)


class QualitySettings(BaseModel):
    """From where on a day is odd, and which checks then stop the pipeline; the others mark its pages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    volume_low: float = Field(default=0.5, ge=0)
    volume_high: float = Field(default=2.0, gt=0)
    fresh_hours: float = Field(default=48.0, gt=0)
    nulls: float = Field(default=0.2, ge=0, le=1)
    duplicates: float = Field(default=0.05, ge=0, le=1)
    stop: tuple[Literal["volume", "freshness", "nulls", "new_types", "duplicates"], ...] = ()

    @property
    def bounds(self) -> dict[str, float]:
        """From where on a day is odd, as the question takes it."""
        return self.model_dump(exclude={"stop"})


class DeliverySettings(BaseModel):
    """How mail is sent, and which hosts of one's own network may be told. Secrets are never printed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    sender: str = "workbench@localhost"
    timeout_seconds: float = Field(default=20.0, gt=0, le=300)
    private_hosts: tuple[str, ...] = ()
    link: str | None = None


class KafkaSettings(BaseModel):
    """Where events come from live, and how to speak to it. Secrets are never printed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    brokers: Annotated[str, Field(min_length=1)] = "127.0.0.1:9092"
    client: Literal["kafka-python", "confluent"] = "kafka-python"
    group: Annotated[str, Field(min_length=1)] = "workbench"
    events: Topic = "events"
    metrics: Topic = "metrics"
    predictions: Topic = "predictions"
    session_seconds: float = Field(default=30.0, ge=1, le=300)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_key_password: SecretStr | None = None


class Settings(BaseSettings):
    """All settings, with their defaults. A name that is not listed here is an error, never ignored."""

    model_config = SettingsConfigDict(
        env_prefix="WORKBENCH_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    store: str = Field(
        "data/lake", description="Where events live: the folder of a lake, `clickhouse://…`, or `chdb://folder`."
    )
    cluster: str = Field(
        "", description="Name of the cluster in ClickHouse's own configuration; empty for a single server."
    )
    insert_quorum: Literal["majority"] | Annotated[int, Field(ge=1)] = Field(
        "majority",
        description="Replicas of a shard of the cluster that have a batch before it counts: `majority`, or a number.",
    )
    control: Path = Field(
        Path("data/control"), description="Folder of the control state of a database; that of a lake is in the lake."
    )
    models: str = Field("data/models", description="Folder or `s3://…` prefix of the model registry.")
    models_key: Path = Field(
        Path("data/models.key"), description="File of the key that models are signed with; made when one is first."
    )
    products: Path = Field(
        Path("data/products"), description="Folder of what the pipeline's tasks leave for each other."
    )
    reports: Path = Field(Path("reports"), description="Folder of rendered reports.")
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "UTC", description="Time zone of times and dates that name none, and of the days and weeks of every number."
    )
    events_since: Annotated[date, Field(ge=EPOCH.date())] = Field(
        EVENTS_SINCE.date(), description="First day of events; an earlier one is rejected as `bad_time`."
    )
    retention_days: int | None = Field(
        default=None, ge=1, description="Age at which a daily job drops events; nothing expires if not set."
    )
    vacuum_grace_hours: float = Field(
        24, ge=0, le=26, description="How long replaced files stay for readers of older versions."
    )
    churn_days: int = Field(
        default=28, ge=1, description="Days without an event after which a person counts as churned."
    )
    ltv_days: int = Field(default=90, ge=1, description="Days ahead that spending is predicted for.")
    ltv_discount: float = Field(
        default=0.1, ge=0, lt=1, description="By how much a dollar is worth less a year later, in LTV."
    )
    next_action_days: int = Field(default=7, ge=1, description="Days ahead in which the next action counts.")
    policy: Path | None = Field(
        None, description="YAML file of who gets which action at which risk; one that comes along if not set."
    )
    training: TrainingSettings = Field(
        TrainingSettings(), description="When models are trained again, and by what margin a new one has to be better."
    )
    engagement: EngagementWeights = Field(EngagementWeights(), description="Weights of the engagement score.")
    kafka: KafkaSettings = Field(KafkaSettings(), description="Brokers, group, topics and security of live events.")
    live: str = Field(
        "sqlite",
        description="Where live numbers are kept: `sqlite` for a file beside the lake, `redis://host:6379/0`, or "
        "`views` that ClickHouse fills.",
    )
    live_lateness_seconds: int = Field(
        default=5, ge=0, description="How far behind the newest events a window of live numbers is closed."
    )
    live_horizon_seconds: int = Field(
        default=3600,
        ge=60,
        description="How late an event may be and still count live; a later one is left to history.",
    )
    live_idle_seconds: int = Field(
        default=30, ge=1, description="A source that is silent for so long holds the others back no more."
    )
    live_memory_mb: float = Field(default=512, gt=0, description="Most memory that live numbers may take in Redis.")
    schedule: Path = Field(Path("schedule.yaml"), description="Jobs by the clock; those that come along if not there.")
    catalog: Path = Field(
        Path("reports.yaml"), description="Reports that are sent; those that come along if not there."
    )
    quality: QualitySettings = Field(
        QualitySettings(), description="From where on a day's events are odd, and which checks `stop` the pipeline."
    )
    delivery: DeliverySettings = Field(
        DeliverySettings(), description="How mail is sent, and which private hosts may be told by a webhook."
    )
    prices: dict[str, TokenPrice] = Field(
        {}, description="What a million tokens of each AI model cost: `input`, `output` and `cached` USD."
    )
    dashboards: DashboardSettings = Field(
        DashboardSettings(), description="How often pages look for news, and how many visitors they are for."
    )
    host: str = Field("127.0.0.1", description="Address that dashboards are served on.")
    port: int = Field(
        default=8866, ge=0, le=65535, description="Port that dashboards are served on; 0 picks a free one."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let variables win over the file, whose values come in through the constructor."""
        del settings_cls
        return env_settings, init_settings

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def time_rules(self) -> TimeRules:
        """How the times of events are read, and the first that is allowed."""
        midnight = datetime.combine(self.events_since, datetime.min.time())
        return TimeRules(self.timezone, localized(midnight, self.timezone)[0])


def load(path: Path | None = None) -> Settings:
    """Read the settings.

    Args:
        path: The YAML file; `workbench.yaml` in the project's folder, if there is one, when not given.

    Raises:
        InvalidSettings: The file or a variable has an unknown name or a value out of range.
    """
    file = path or root() / SETTINGS_FILE
    if path is not None and not path.is_file():
        raise InvalidSettings(f"no settings file {path}")
    values = read_yaml(file) or {}
    if not isinstance(values, dict):
        raise InvalidSettings(f"{file} holds a {type(values).__name__}, not names with values")
    try:
        return Settings(**{str(name): value for name, value in values.items()})
    except ValidationError as error:
        raise InvalidSettings(f"settings ({file}, WORKBENCH_* variables): {_explained(error)}") from error
    except (SettingsError, RecursionError) as error:
        raise InvalidSettings("settings (WORKBENCH_* variables): a value is not JSON, or nested too deeply") from error


def read_yaml(file: Path, *, otherwise: str = "") -> object:
    """Return what a YAML file says; what `otherwise` says, where there is no such file.

    Raises:
        InvalidSettings: It cannot be read, or is no YAML.
    """
    try:
        return check_text(yaml.safe_load(file.read_text(encoding="utf-8") if file.is_file() else otherwise))
    except (yaml.YAMLError, OSError, ValueError, RecursionError) as error:
        raise InvalidSettings(f"cannot read {file}: {error}") from error


def changed(settings: KafkaSettings, given: dict[str, str]) -> KafkaSettings:
    """Return settings with some replaced, as by the options of a command.

    Raises:
        InvalidSettings: One of them has a value that cannot be used.
    """
    try:
        return KafkaSettings.model_validate({**dict(settings), **given})
    except ValidationError as error:
        raise InvalidSettings(f"kafka: {_explained(error)}") from error


def root() -> Path:
    """Return the project's folder: the nearest one, from here upwards, with `workbench.yaml` or `pipeline.yaml`."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / mark).is_file() for mark in _MARKS):
            return folder
    return here


def resolved(path: str | Path) -> Path:
    """Take a relative path from the project's folder."""
    return root() / Path(path).expanduser()


@contextmanager
def store_of_children(where: str) -> Iterator[None]:
    """Let the processes that are started meanwhile have this store by their settings, with its password."""
    before = os.environ.get(_STORE)
    os.environ[_STORE] = where
    try:
        yield
    finally:
        os.environ.pop(_STORE)
        if before is not None:
            os.environ[_STORE] = before


def exposed(file: str | Path) -> str | None:
    """Say that others than its owner can read or replace the file of a key, and what to type; `None` if not."""
    if os.name != "posix":  # elsewhere these bits say nothing
        return None
    try:
        mode = stat.S_IMODE(Path(file).stat().st_mode)
    except FileNotFoundError:
        return None  # whoever reads it says so
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    return f"{file} is a key and open to others (mode {mode:04o}): chmod 600 {shlex.quote(str(file))}"


def masked(text: str, settings: Settings) -> str:
    """Replace every secret that the settings or the environment hold, wherever it stands in a text."""
    for secret in sorted(_secrets(settings), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(settings: BaseModel) -> set[str]:
    """Collect what must be shown nowhere: secret settings, passwords in addresses, variables named like secrets."""
    found = {value for name, value in os.environ.items() if _SECRETIVE.search(name)}
    for value in dict(settings).values():
        if isinstance(value, SecretStr):
            found.add(value.get_secret_value())
        elif isinstance(value, BaseModel):
            found |= _secrets(value)
    told = [os.environ.get(_STORE, ""), *(value for value in dict(settings).values() if isinstance(value, str))]
    for address in told:
        found |= set(_PASSWORD.findall(address)) | {unquote(each) for each in _PASSWORD.findall(address)}
    return {secret for secret in found if len(secret) >= _LEAST_SECRET}


def _explained(error: ValidationError) -> str:
    return explained(error, unknown=f" is no setting (there are {', '.join(Settings.model_fields)})")


def explained(error: ValidationError, *, unknown: str, within: str = "") -> str:
    """Name each fault; the offending value is left out, for it may be a secret.

    Args:
        error: What a model complains of.
        unknown: What is said of a name that it does not have.
        within: Of what the faults are, put before the name of each.
    """
    faults = []
    for fault in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in (*filter(None, [within]), *fault["loc"]))
        told = ": ".join(filter(None, [name, fault["msg"].removeprefix("Value error, ")]))
        faults.append(f"{name}{unknown}" if fault["type"] == "extra_forbidden" else told)
    return "; ".join(faults)
