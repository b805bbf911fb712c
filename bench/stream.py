"""What a stream survives, and how fast it is: `python -m bench stream [name …] [--times N]`.

Without names all of them run. `--times` says how often something is done to the stream; without it, as often as the
figures ask for, which takes about an hour.
"""

from __future__ import annotations

import argparse
import logging
import random
import time

from bench import stream_dashboard
from bench import stream_reliability as reliability
from bench import stream_speed as speed
from bench.stream_world import a_broker

STORIES = {
    "kills": (reliability.kills, 300),
    "failpoints": (reliability.failpoints, 20),
    "rebalances": (reliability.rebalances, 60),
    "outages": (reliability.outages, 10),
    "poison": (reliability.poison, 4),
    "full": (reliability.full, 5),
    "disorder": (reliability.disorder, 3),
    "speed": (speed.speed, 3),
    "latency": (speed.latency, 30),
    "memory": (speed.memory, 10),
    "processes": (speed.processes, 3),
    "dashboard": (stream_dashboard.dashboard, 60),
}


def main(arguments: list[str]) -> int:
    """Tell each story; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench stream", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(STORIES))
    parser.add_argument("--times", type=int)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args(arguments)
    unknown = set(wanted.names) - STORIES.keys()
    if unknown:
        parser.error(f"no {min(unknown)!r}: there are {', '.join(STORIES)}")
    for name in ("kafka", "workbench.ingest.kafka_fast"):  # what the clients say of a broker that is stopped
        logging.getLogger(name).addHandler(logging.NullHandler())
        logging.getLogger(name).propagate = False
    print(f"seed {wanted.seed}")
    missed = []
    with a_broker() as broker:
        for name in wanted.names or STORIES:
            story, times = STORIES[name]
            if not story(broker, times if wanted.times is None else wanted.times, random.Random(wanted.seed)):
                missed.append(name)
    print(f"missed: {', '.join(missed)}" if missed else "all figures reached")
    return int(bool(missed))
