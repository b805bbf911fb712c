"""A consumer to kill: reads a topic into a lake, and dies at a failpoint if one is named."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
from typing import TYPE_CHECKING

from workbench.config import KafkaSettings
from workbench.ingest import queues
from workbench.ingest.consumer import Consumer
from workbench.ingest.failpoints import NAMES, Failpoints
from workbench.ingest.status import Limits, Status
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from collections.abc import Callable


def main(arguments: list[str]) -> None:
    """Read until a signal, saying each second how it is going."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--lake", required=True)
    parser.add_argument("--client", default="kafka-python")
    parser.add_argument("--instance")
    parser.add_argument("--session", type=float, default=10)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--maintain", type=int, default=20, help="batches after which the lake is sorted")
    parser.add_argument("--failpoint", choices=NAMES)
    parser.add_argument(
        "--freeze", action="store_true", help="stop at the failpoint, as SIGSTOP does, instead of dying"
    )
    parser.add_argument("--passes", type=int, default=1, help="times that the failpoint is passed before")
    wanted = parser.parse_args(arguments)
    settings = KafkaSettings(
        brokers=wanted.brokers, client=wanted.client, group=f"group-{wanted.topic}", session_seconds=wanted.session
    )
    consumer = Consumer(
        lambda listener: queues.open_source(
            settings, [wanted.topic], listener, instance=wanted.instance, max_records=wanted.rows
        ),
        LakeStore(wanted.lake),
        limits=Limits(rows=wanted.rows, seconds=0.1, maintain_batches=wanted.maintain),
        failpoints=Failpoints({wanted.failpoint: _once(wanted)} if wanted.failpoint else {}),
        progress=_say,
    )
    faulthandler.register(signal.SIGUSR1)  # to ask one that hangs where it is
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: consumer.stop())
    _say(consumer.run())


def _once(wanted: argparse.Namespace) -> Callable[[], None]:
    """Return what kills or freezes this process once it was called more often than `--passes`."""
    left, number = [wanted.passes], signal.SIGSTOP if wanted.freeze else signal.SIGKILL

    def act() -> None:
        left[0] -= 1
        if left[0] == -1:
            os.kill(os.getpid(), number)

    return act


def _say(status: Status) -> None:
    print(status.state, status.read, status.events, status.fenced, status.trouble or "-", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
