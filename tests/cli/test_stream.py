"""Live events by the commands, against a real broker, in processes of their own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
import uuid

import pytest

from workbench.config import KafkaSettings
from workbench.ingest import queues
from workbench.store.lake import LakeStore

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic():
    return f"live-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def project(tmp_path, broker, topic):
    (tmp_path / "workbench.yaml").write_text(
        f"kafka: {{brokers: '{broker.address}', events: {topic}, group: {topic}, session_seconds: 6}}\n"
    )
    return tmp_path


def started(project, *words):
    command = [sys.executable, "-m", "workbench", *words]
    return subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ran(project, *words):
    with started(project, *words) as process:
        said = "".join(process.communicate(timeout=120))
    return process.returncode, said


def wait_until(happened, seconds=120):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.1)


def test_events_go_from_a_simulated_community_through_kafka_into_the_lake(project, broker, topic):
    to = f"kafka://{broker.address}/{topic}"
    code, said = ran(
        project, "simulate", "--to", to, "--users", "40", "--days", "6", "--seed", "3", "--speed", "400000x"
    )
    assert code == 0, said
    sent = int(re.search(r"([\d,]+) messages sent", said)[1].replace(",", ""))
    with started(project, "stream", "--metrics-port", "0") as stream:
        port = re.search(r"127.0.0.1:(\d+)/metrics", stream.stderr.readline())[1]
        lake = project / "data/lake"
        wait_until(lambda: (lake / "control.db").parent.exists() and _events(lake) == sent)
        wait_until(lambda: f"workbench_stream_events_total {float(sent)}" in _scraped(port))
        assert ran(project, "doctor", "--queue")[0] == 0
        stream.send_signal(signal.SIGTERM)
        said, progress = stream.communicate(timeout=120)
    assert stream.returncode == 0
    assert f"Stopped: {sent:,} new events of {sent:,} messages" in said
    assert f"{sent:,} messages" in progress
    days = LakeStore(lake).snapshot().query("SELECT max(occurred_at) > now() - INTERVAL 1 HOUR AS fresh FROM events")
    assert days["fresh"].to_pylist() == [True]


def _scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def _events(lake):
    try:
        return sum(file.rows for file in LakeStore(lake, create=False).snapshot().files)
    except Exception:  # not made yet
        return 0


def test_the_doctor_says_that_nobody_reads(project, broker, topic):
    outlet = queues.open_outlet(KafkaSettings(brokers=broker.address), topic)
    event = {"event_id": "1", "event_type": "view", "user_id": "ann", "occurred_at": "2026-01-05T10:00:00Z"}
    outlet.send(json.dumps(event).encode())
    outlet.close()
    LakeStore(project / "data/lake")
    code, said = ran(project, "doctor", "--queue")
    assert code == 1
    assert "messages wait and nobody reads them" in said
    assert f"{topic} has 4 partitions" in said


def test_a_slice_of_history_is_sent_again_in_disorder_and_counts_once(project, broker, topic):
    lake = LakeStore(project / "data/lake")
    export = project / "export.jsonl"
    events = [
        {"event_id": f"e{n}", "event_type": "view", "user_id": "ann", "occurred_at": f"2026-01-05T10:{n:02d}:00Z"}
        for n in range(60)
    ]
    export.write_text("".join(json.dumps(event) + "\n" for event in events))
    assert ran(project, "ingest", str(export))[0] == 0
    to = f"kafka://{broker.address}/{topic}"
    options = ["--since", "2026-01-05T10:00", "--until", "2026-01-05T10:30", "--speed", "100000x", "--keep-times"]
    code, said = ran(project, "replay", "--to", to, *options, "--disorder", "duplicates=0.5 shuffled=1 within=1")
    assert code == 0, said
    assert int(re.search(r"(\d+) messages sent", said)[1]) > 30
    with started(project, "stream") as stream:
        wait_until(lambda: lake.snapshot().version > 2)
        stream.send_signal(signal.SIGINT)
        said, _ = stream.communicate(timeout=120)
    assert stream.returncode == 0
    assert lake.snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist() == [60]
