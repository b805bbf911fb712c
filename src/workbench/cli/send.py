"""Sending events to a queue: those of a simulated community, or a slice of history again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from workbench.simulate.feed import Feed, Pace


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(
        epilog="Example: workbench replay --to kafka://127.0.0.1:9092/events --since 2026-11-01 --until 2026-11-02"
        " --speed 600x --disorder 'duplicates=0.2 shuffled=0.3 within=48'"
    )(replay)


def replay(
    to: Annotated[str, typer.Option(help="Where to: kafka://host:port/topic.")],
    *,
    since: Annotated[str, typer.Option(help="First day or instant, inclusive.")],
    until: Annotated[str, typer.Option(help="End, exclusive.")],
    speed: Annotated[str, typer.Option(help="How much faster than it happened.")] = "60x",
    rate: Annotated[
        float | None, typer.Option(help="Messages a second on average; so many copies of the people take part.")
    ] = None,
    disorder: Annotated[
        str, typer.Option(help="duplicates, shuffled, skew as shares; within in hours, burst in seconds.")
    ] = "",
    keep_times: Annotated[bool, typer.Option("--keep-times", help="Send them as they are, not as of now.")] = False,
    store: StoreOption = None,
) -> None:
    """Send a slice of history to Kafka again, as if it happened now, in as much disorder as you like."""
    from workbench.simulate import feed  # noqa: PLC0415

    events = open_place(store).snapshot().query(_SLICE, {"since": _instant(since), "until": _instant(until)})
    if events.num_rows == 0:
        raise InvalidArgument(f"there are no events from {since} to {until}")
    planned = feed.of(events, disorder=feed.Disorder.parse(disorder))
    pace = feed.Pace(speed=feed.speed_of(speed), rate=rate, keep_times=keep_times, begin=datetime.now(UTC), run=_run())
    _send(planned, to, pace)


_SLICE: Final = """
    SELECT event_id, event_type, user_id, occurred_at, platform, session_id, raid_id, message_id, value, properties,
        schema_version
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until
    ORDER BY occurred_at, event_id
"""


def send_community(to: str, *, users: int, days: int, seed: int, rate: float | None, speed: str) -> None:
    """Send a simulated community to a topic as if it lived now."""
    from workbench.simulate import community, feed  # noqa: PLC0415

    pace = feed.Pace(speed=feed.speed_of(speed), rate=rate, begin=datetime.now(UTC), run=_run())
    planned = feed.live(community(users=users, days=days, seed=seed))
    _send(planned, to, pace.beginning(datetime.now(UTC)))


def _send(planned: Feed, to: str, pace: Pace) -> None:
    from tqdm import tqdm  # noqa: PLC0415

    from workbench.ingest import queues  # noqa: PLC0415
    from workbench.simulate import feed  # noqa: PLC0415

    outlet = queues.open_outlet(*queues.at(to, config.load().kafka))
    lasting = planned.seconds / pace.speed
    typer.echo(f"sending to {to} for {lasting / 60:,.0f} minutes; stop with Ctrl-C", err=True)
    with tqdm(unit=" messages", disable=None) as bar:
        try:
            sent = feed.send(planned, lambda value, key: outlet.send(value, key=key), pace, progress=bar.update)
        finally:
            outlet.close()
    typer.echo(f"{sent:,} messages sent.")


def _run() -> str:
    """Name a run, so that its events are not those of another."""
    return uuid.uuid4().hex[:8]


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is no day or instant; write it as 2026-11-23 or 2026-11-23T09:00") from error
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=config.load().zone).astimezone(UTC)
