from __future__ import annotations

import urllib.request
from collections import Counter

from workbench.ingest import telemetry
from workbench.ingest.status import Status


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def test_what_a_consumer_does_can_be_scraped_from_this_machine():
    status = Status(
        state="paused",
        trouble="no space left",
        read=12,
        events=9,
        rejected=Counter(bad_json=3),
        batches=2,
        positions={"events-0": 12},
        lag={"events-0": 5},
    )
    with telemetry.served(lambda: status, port=0) as port:
        text = scraped(port)
    for line in (
        "workbench_stream_messages_total 12.0",
        "workbench_stream_events_total 9.0",
        'workbench_stream_rejected_total{reason="bad_json"} 3.0',
        'workbench_stream_lag{partition="events-0"} 5.0',
        'workbench_stream_position{partition="events-0"} 12.0',
        'workbench_stream_state{state="paused"} 1.0',
        'workbench_stream_state{state="reading"} 0.0',
        "workbench_stream_trouble 1.0",
    ):
        assert line in text.splitlines()
