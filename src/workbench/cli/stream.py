"""Commands about live events: read a queue into the store."""

from __future__ import annotations

import functools
import logging
import signal
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place

if TYPE_CHECKING:
    from types import FrameType

    from workbench.ingest.consumer import Consumer
    from workbench.ingest.status import Status

_MEMBERS: Final = "data/members"


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(epilog="Example: workbench stream --brokers 127.0.0.1:9092 --topic events --metrics-port 9464")(stream)


def stream(
    *,
    brokers: Annotated[str | None, typer.Option(help="host:port, several with commas; the settings' if none.")] = None,
    topic: Annotated[str | None, typer.Option(help="Topic of events; the settings' if not given.")] = None,
    group: Annotated[str | None, typer.Option(help="Group of readers to be one of; the settings' if none.")] = None,
    client: Annotated[str | None, typer.Option(help="kafka-python or confluent; the settings' if not given.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on this port of this machine.", min=0, max=65535)
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long a message may wait for others.", min=0.01)] = 0.5,
    verbose: Annotated[bool, typer.Option("--verbose", help="Also print what the Kafka client logs.")] = False,
    store: StoreOption = None,
) -> None:
    """Read live events from Kafka into the store, each once, until it is stopped with Ctrl-C or SIGTERM.

    Start it again, or several times at once: processes share the partitions, and each goes on where the store stands.
    """
    from workbench.ingest import announce, members, queues  # noqa: PLC0415
    from workbench.ingest.consumer import Consumer  # noqa: PLC0415
    from workbench.ingest.status import Limits  # noqa: PLC0415
    from workbench.store.live_open import of_settings  # noqa: PLC0415

    given = {"brokers": brokers, "events": topic, "group": group, "client": client}
    settings = config.changed(config.load().kafka, {name: value for name, value in given.items() if value is not None})
    _quiet(verbose)
    place = open_place(store, create=True)
    numbers, told = (of_settings(config.load(), place) for _ in range(2))  # one for each thread
    with ExitStack() as stack:
        instance = stack.enter_context(members.member(config.resolved(_MEMBERS), settings.group))
        consumer = Consumer(
            lambda listener: queues.open_source(settings, [settings.events], listener, instance=instance),
            place,
            numbers,
            limits=Limits(seconds=seconds, revoke_seconds=min(5.0, settings.session_seconds / 3)),
            progress=_Line(),
            rules=config.load().time_rules,
        )
        outlet = functools.partial(queues.open_outlet, settings, settings.metrics)
        stack.enter_context(announce.announcing(told, outlet, place.path / "announced.json"))
        if metrics_port is not None:
            from workbench.ingest import telemetry  # noqa: PLC0415 - the optional extra

            port = stack.enter_context(telemetry.served(consumer.status, port=metrics_port))
            typer.echo(f"metrics on http://{telemetry.HOST}:{port}/metrics", err=True)
        _stop_on_signals(consumer)
        typer.echo(f"reading {settings.events} at {settings.brokers} as {instance} into {place.name}", err=True)
        last = consumer.run()
    typer.echo(f"Stopped: {last.events:,} new events of {last.read:,} messages in {last.batches:,} commits.")
    if last.rejected:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(last.rejected.items()))
        typer.echo(f"{last.rejected.total():,} messages are no events ({counts}): see `workbench rejects list`.")


class _Line:
    """One line that tells how it is going: rewritten in a terminal, else a new one when there is news."""

    def __init__(self) -> None:
        self._read, self._at, self._said = 0, datetime.now(UTC), ""
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, status: Status) -> None:
        now = datetime.now(UTC)
        rate = (status.read - self._read) / max((now - self._at).total_seconds(), 1e-9)
        self._read, self._at = status.read, now
        line = f"{status.state}: {status.read:,} messages, {rate:,.0f}/s, {sum(status.lag.values()):,} behind"
        line += f", {status.rejected.total():,} rejected" if status.rejected else ""
        line += f", {len(status.positions)} partitions"
        line += f" | {status.trouble}" if status.trouble else ""
        if self._is_terminal:
            typer.echo(f"\r\033[K{line}", err=True, nl=False)
        elif line != self._said:
            typer.echo(f"{now:%H:%M:%S} {line}", err=True)
        self._said = line


def _stop_on_signals(consumer: Consumer) -> None:
    """Stop in an orderly way at the first signal, at once at the second."""

    def stop(number: int, _: FrameType | None) -> None:
        consumer.stop()
        signal.signal(number, signal.SIG_DFL)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, stop)


def _quiet(verbose: bool) -> None:
    """Keep the clients' logs from the terminal unless they are wanted: what matters is in the status."""
    for name in ("kafka", "workbench.ingest.kafka_fast"):
        log = logging.getLogger(name)
        log.addHandler(logging.StreamHandler() if verbose else logging.NullHandler())
        log.propagate = False
