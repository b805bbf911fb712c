"""The bench: one object that every question is asked of, pinned to one version of the data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from workbench import config
from workbench.errors import InvalidArgument, StoreNotFound
from workbench.metrics import (
    activity,
    ai_usage,
    arguments,
    correlation,
    coverage,
    funnels,
    messages,
    moments,
    performance,
    platforms,
    profiles,
    quality,
    raid_facts,
    raids,
    response_times,
    rhythm,
    saved_segments,
    segments,
    sentiment,
    series,
)
from workbench.metrics import journeys as walks
from workbench.metrics import lifecycle as lifecycles
from workbench.metrics import retention as retentions
from workbench.metrics import spending as spendings
from workbench.metrics import stickiness as sticky
from workbench.metrics.live import LiveNumbers
from workbench.metrics.live_check import live_check
from workbench.models.questions import ModelQuestions
from workbench.store.frame import store_of_frame
from workbench.store.live_open import of_settings
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, timedelta
    from pathlib import Path

    import pandas as pd

    from workbench.config import Settings
    from workbench.ingest.summary import Summary
    from workbench.metrics.calendars import Period
    from workbench.metrics.dialects import Dialect
    from workbench.metrics.funnel_definition import Attribution, Between, By, Counting, Once, Order
    from workbench.metrics.live_check import LiveCheck
    from workbench.metrics.retention_definition import Bracket, Clock, Cohort, Kind, Mean, Of, Zero
    from workbench.metrics.segments import Segment
    from workbench.metrics.steps import Step
    from workbench.store.base import Place, Readable, Snapshot
    from workbench.store.live import LiveReader


class Bench(ModelQuestions):
    """Questions about the events of one store, all answered from the same version of them.

    Every question gives a frozen answer with `frame`, `definition`, `data_version`, `plot()` and
    `reading()`. New events are seen after `refresh()`, or when this bench ingested them itself.
    Naive times, days and weeks are in the time zone of the settings.
    """

    def __init__(self, store: Readable, settings: Settings | None = None, *, snapshot: Snapshot | None = None) -> None:
        """Take a store, and the snapshot to ask: the newest when not given."""
        self.store = store
        self.settings = settings or config.load()
        self.snapshot = snapshot or store.snapshot()
        self._live: LiveReader | None = None

    @property
    def data_version(self) -> str:
        """Name of the version that is asked: same name, same events."""
        return self.snapshot.data_version

    @property
    def last_event(self) -> datetime | None:
        """When the newest event occurred; `None` where there are no events."""
        return series.last_event(self.snapshot)

    @property
    def now(self) -> datetime:
        """When questions are asked that say nothing else: the earlier of the present and the end of the data."""
        return coverage.coverage(self.snapshot, self._tz).now()

    def as_of(self, instant: str | date | datetime) -> Bench:
        """Return a bench that sees only what had been ingested by an instant."""
        known_at = arguments.instant(instant, self.settings.timezone)
        return Bench(self.store, self.settings, snapshot=self.store.snapshot(known_at=known_at))

    def of(self, segment: str | Segment, *, now: str | date | datetime | None = None) -> Bench:
        """Return a bench that sees only the people of a segment, whatever they did.

        Args:
            segment: One made with `wb.segment(...)`, or the name of one that was saved.
            now: When the segment is asked for: `within` looks back from here. The earlier of the present and the end
                of the data if not given.

        Raises:
            InvalidArgument: No segment is saved by that name.
        """
        chosen = self.segment(segment) if isinstance(segment, str) else segment
        asked = coverage.instant(self.snapshot, now, self._tz)
        keys = segments.members(self.snapshot, chosen, now=asked)
        return Bench(self.store, self.settings, snapshot=self.snapshot.only(keys, people=chosen))

    def save_segment(self, name: str, segment: Segment) -> None:
        """Keep a segment in the lake by a name; one of that name is replaced.

        Raises:
            InvalidArgument: The name cannot be used, or this bench asks a frame.
        """
        saved_segments.save(self.place.control, name, segment, now=datetime.now(UTC))

    def segments(self) -> dict[str, Segment]:
        """Return the segments that were saved, by name."""
        return saved_segments.load_all(self.place.control)

    def segment(self, name: str) -> Segment:
        """Return the segment that was saved by a name; one that was not is an error that suggests the nearest."""
        return saved_segments.load(self.place.control, name)

    def refresh(self) -> Bench:
        """Move to the newest version; return the bench itself. A bench of a segment asks anew who is of it."""
        people = self.snapshot.people
        self.snapshot = self.store.snapshot(known_at=self.snapshot.known_at)
        if isinstance(people, segments.Segment):
            self.snapshot = self.of(people).snapshot
        return self

    def ingest(self, path: str | Path, mapping: str = "native", *, format: str | None = None) -> Summary:
        """Add the events of an export to the lake, each once however often this is repeated.

        Args:
            path: A file, a folder of files, or `-` for standard input.
            mapping: `native`, `mixpanel`, `amplitude`, `posthog`, `segment`, or a YAML file of your own.
            format: `jsonl`, `csv` or `parquet`, where the name of the file does not say it.

        Returns:
            How many events were accepted, repeated and rejected, and why.

        Raises:
            InvalidArgument: This bench asks a frame, which nothing can be added to.
        """
        from tqdm.auto import tqdm  # noqa: PLC0415 - only here, and it looks at the notebook when imported

        from workbench.ingest.files import ingest  # noqa: PLC0415

        place = self.place
        source = path if str(path) == "-" else config.resolved(path)
        summary = ingest(
            place, source, mapping=mapping, format=format, progress=tqdm, rules=self.settings.time_rules,
            retention_days=self.settings.retention_days,
        )  # fmt: skip
        self.refresh()
        return summary

    def funnel(  # noqa: PLR0913 - a question names all its options
        self,
        steps: Sequence[str | Step],
        *,
        within: str | timedelta | None = None,
        order: Order = "ordered",
        exclude: Sequence[Between] | None = None,
        by: By | None = None,
        attribution: Attribution | None = None,
        top: int | None = None,
        once: Once | None = None,
        counting: Counting = "users",
        hold: str | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
        now: str | date | None = None,
        tz: str | None = None,
        dialect: Dialect | None = None,
        **reading: Any,  # noqa: ANN401 - as the question has them: anchor, ties, grace, reuse, exclusion, …
    ) -> funnels.Funnel:
        """Count the people who reach each step within a time of their first; see `metrics.funnels.funnel`."""
        return funnels.funnel(
            self.snapshot, steps, within=within, order=order, exclude=exclude, by=by, attribution=attribution, top=top,
            once=once, counting=counting, hold=hold, since=since, until=until, now=now, tz=tz or self._tz,
            dialect=dialect, **reading,
        )  # fmt: skip

    def retention(  # noqa: PLR0913 - a question names all its options
        self,
        start: str | Step = "user_joined",
        returns: str | Step | None = None,
        *,
        period: Period = "week",
        kind: Kind | None = None,
        clock: Clock | None = None,
        cohort: Cohort | None = None,
        brackets: str | Sequence[Bracket] | None = None,
        of: Of = "cohort",
        mean: Mean | None = None,
        floor: str | timedelta | None = None,
        zero: Zero | None = None,
        by: str | None = None,
        since: str | date | None = None,
        until: str | date | None = None,
        now: str | date | None = None,
        tz: str | None = None,
        dialect: str | None = None,
    ) -> retentions.Retention:
        """Count who of each cohort comes back, by period; see `metrics.retention.retention`."""
        return retentions.retention(
            self.snapshot, start=start, returns=returns, period=period, kind=kind, clock=clock, cohort=cohort,
            brackets=brackets, of=of, mean=mean, floor=floor, zero=zero, by=by, since=since, until=until, now=now,
            tz=tz or self._tz, dialect=dialect,
        )  # fmt: skip

    def active_users(self, **options: Any) -> activity.ActiveUsers:  # noqa: ANN401 - as the question has them
        """Count the people with any event per day, week or month; see `metrics.activity.active_users`."""
        return activity.active_users(self.snapshot, **{"tz": self._tz, **options})

    def lifecycle(self, **options: Any) -> lifecycles.Lifecycle:  # noqa: ANN401 - as the question has them
        """Count who is new, returning, resurrecting and dormant; see `metrics.lifecycle.lifecycle`."""
        return lifecycles.lifecycle(self.snapshot, **{"tz": self._tz, **options})

    def stickiness(self, **options: Any) -> sticky.Stickiness:  # noqa: ANN401 - as the question has them
        """Count in how many periods people were there; see `metrics.stickiness.stickiness`."""
        return sticky.stickiness(self.snapshot, **{"tz": self._tz, **options})

    def message_volume(self, **options: Any) -> messages.MessageVolume:  # noqa: ANN401 - as the question has them
        """Count messages over time; see `metrics.messages.message_volume`."""
        return messages.message_volume(self.snapshot, **{"tz": self._tz, **options})

    def platform_distribution(self, **options: Any) -> platforms.PlatformDistribution:  # noqa: ANN401
        """Count the people on each platform; see `metrics.platforms.platform_distribution`."""
        return platforms.platform_distribution(self.snapshot, **{"tz": self._tz, **options})

    def journeys(self, **options: Any) -> walks.Journeys:  # noqa: ANN401 - as the question has them
        """Follow people from event to event; see `metrics.journeys.journeys`."""
        return walks.journeys(self.snapshot, **{"tz": self._tz, **options})

    def platforms(self, **options: Any) -> correlation.PlatformCorrelation:  # noqa: ANN401 - as the question has them
        """Compare each two platforms; see `metrics.correlation.platform_correlation`."""
        return correlation.platform_correlation(self.snapshot, **{"tz": self._tz, **options})

    def raid_activity(self, **options: Any) -> raids.RaidActivity:  # noqa: ANN401 - as the question has them
        """Count raids, who joined them and how they ended; see `metrics.raids.raid_activity`."""
        return raids.raid_activity(self.snapshot, **{"tz": self._tz, **options})

    def raid_facts(self, **options: Any) -> raid_facts.RaidFacts:  # noqa: ANN401 - as the question has them
        """Gather what is known of each raid; see `metrics.raid_facts.raid_facts`."""
        return raid_facts.raid_facts(self.snapshot, **{"tz": self._tz, **options})

    def raids_in_progress(self, **options: Any) -> moments.RaidsInProgress:  # noqa: ANN401 - as the question has them
        """List the raids in progress; see `metrics.moments.raids_in_progress`."""
        return moments.raids_in_progress(self.snapshot, **{"tz": self._tz, **options})

    def event_volume(self, **options: Any) -> moments.EventVolume:  # noqa: ANN401 - as the question has them
        """Count events by platform and type, second by second if need be; see `metrics.moments.event_volume`."""
        return moments.event_volume(self.snapshot, **{"tz": self._tz, **options})

    def active_minutes(self, **options: Any) -> moments.ActiveMinutes:  # noqa: ANN401 - as the question has them
        """Count people minute by minute; see `metrics.moments.active_minutes`."""
        return moments.active_minutes(self.snapshot, **{"tz": self._tz, **options})

    def performance(self, **options: Any) -> performance.Performance:  # noqa: ANN401 - as the question has them
        """Count failed requests and how long they took; see `metrics.performance.performance`."""
        return performance.performance(self.snapshot, **{"tz": self._tz, **options})

    def response_times(self, **options: Any) -> response_times.ResponseTimes:  # noqa: ANN401
        """Count requests by how long they took; see `metrics.response_times.response_times`."""
        return response_times.response_times(self.snapshot, **{"tz": self._tz, **options})

    def ai_usage(self, **options: Any) -> ai_usage.AiUsage:  # noqa: ANN401 - as the question has them
        """Add up tokens, cost and quality of AI interactions; see `metrics.ai_usage.ai_usage`."""
        prices = {model: ai_usage.Price(**price.model_dump()) for model, price in self.settings.prices.items()}
        return ai_usage.ai_usage(self.snapshot, **{"tz": self._tz, "prices": prices, **options})

    def sentiment(self, **options: Any) -> sentiment.Sentiment:  # noqa: ANN401 - as the question has them
        """Average the sentiment of messages per day; see `metrics.sentiment.sentiment`."""
        return sentiment.sentiment(self.snapshot, **{"tz": self._tz, **options})

    def data_quality(self, **options: Any) -> quality.DataQuality:  # noqa: ANN401 - as the question has them
        """Look whether the last full day is as the days before it, by the bounds of the settings; see `quality`."""
        return quality.data_quality(self.snapshot, **{"tz": self._tz, **self.settings.quality.bounds, **options})

    def spending(self, **options: Any) -> spendings.CohortSpending:  # noqa: ANN401 - as the question has them
        """Add up what people spent, by the month in which they came; see `metrics.spending.spending`."""
        return spendings.spending(self.snapshot, **{"tz": self._tz, **options})

    def rhythm(self, **options: Any) -> rhythm.Rhythm:  # noqa: ANN401 - as the question has them
        """Count people by the hour of the week; see `metrics.rhythm.rhythm`."""
        return rhythm.rhythm(self.snapshot, **{"tz": self._tz, **options})

    def profiles(self, **options: Any) -> profiles.Profiles:  # noqa: ANN401 - as the question has them
        """Gather what is known of each person; see `metrics.profiles.profiles`."""
        return profiles.profiles(self.snapshot, **{"tz": self._tz, **options})

    def live(self) -> LiveNumbers:
        """Read the live numbers that are kept beside the lake, as of now; see `metrics.live.LiveNumbers`.

        Raises:
            StoreNotFound: None are kept there yet, or this bench asks a frame.
            InvalidArgument: This bench sees only some people, or what was known earlier; live numbers are of all, now.
        """
        if self.snapshot.people is not None or self.snapshot.known_at is not None:
            raise InvalidArgument("live numbers are of everybody, as of now: ask the bench that wb.open() gave")
        numbers = LiveNumbers(self._live_store().picture(), self._tz)
        if numbers.picture.state.watermark is None:
            raise StoreNotFound(f"no live numbers in {numbers.picture.name} yet: `workbench stream` keeps them")
        return numbers

    def live_check(self) -> LiveCheck:
        """Compare every closed live window with history as it is now; see `metrics.live_check.live_check`."""
        return live_check(self.store, self._live_store(), tz=self._tz)

    @staticmethod
    def save(frame: pd.DataFrame, path: str | Path) -> None:
        """Write a frame as Parquet, for the next step or for another program; its folder is made if need be."""
        file = config.resolved(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(file)

    @property
    def place(self) -> Place:
        """The store, where it keeps what is asked of it; that of a frame does not."""
        if not self.keeps:
            raise InvalidArgument("nothing can be added to a frame: open a lake with wb.open()")
        return cast("Place", self.store)

    @property
    def keeps(self) -> bool:
        """Whether events can be added and segments be kept: in a lake or a database, not beside a frame."""
        return hasattr(self.store, "control")

    def _live_store(self) -> LiveReader:
        if not self.keeps:
            raise StoreNotFound("a frame has no live numbers: open a lake with wb.open()")
        if self._live is None:
            self._live = of_settings(self.settings, self.place, create=False)
        return self._live

    @property
    def _tz(self) -> str:
        return self.settings.timezone


def open_(
    store: str | Path | None = None,
    *,
    version: int | None = None,
    create: bool = False,
    settings: Settings | None = None,
) -> Bench:
    """Open a lake, or a database.

    Args:
        store: The folder of a lake, `clickhouse://…` or `chdb://folder`; that of the settings when not given.
        version: Pin the bench to this version of its events; the newest when not given.
        create: Make an empty one where there is none yet.
        settings: Instead of those of `workbench.yaml` and the environment.

    Raises:
        StoreNotFound: There is none, and `create` is false; the message says how to make one.
        StoreError: The folder holds something else, or a lake of a newer Workbench; or no database answers.
        InvalidArgument: There is no such version.
    """
    settings = settings or config.load()
    opened = open_store(store, settings, create=create)
    return Bench(opened, settings, snapshot=opened.snapshot(version=version))


def from_frame(frame: Any, *, user: str, event: str, time: str, settings: Settings | None = None) -> Bench:  # noqa: ANN401
    """Ask a pandas, Arrow or Polars frame: one row, one event. Nothing is written.

    Rows that `ingest` would reject by their time or value are left out, and a warning is logged that says how many.

    Args:
        frame: The events.
        user: Name of the column that says who.
        event: Name of the column that says what.
        time: Name of the column that says when.
        settings: Instead of those of `workbench.yaml` and the environment.

    Raises:
        InvalidArgument: A column is missing, empty, or not what it should be.
    """
    settings = settings or config.load()
    return Bench(store_of_frame(frame, user=user, event=event, time=time, rules=settings.time_rules), settings)
