"""Files into a server of ClickHouse that loses answers, is slow, or is away for a while."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time

import pytest

from tests.clickhouse_proxy import PASS, STALL, SWALLOW, between
from workbench.errors import StoreAway
from workbench.ingest import files
from workbench.store.clickhouse import ClickHouseStore

ROWS = 20
PATIENT = bool(os.environ.get("WORKBENCH_TEST_PATIENT"))
"""Whether there is time: then a server is away for a minute, five times, and fifty inserts time out."""

DOWN_SECONDS, TIMED_OUT = (60, 50) if PATIENT else (1, 10)


@pytest.fixture
def server(clickhouse_server):
    if not clickhouse_server.is_ours:
        pytest.skip("a server that is named is not switched off")
    yield clickhouse_server
    ClickHouseStore(clickhouse_server.dsn).clear()


def export(folder, batches):
    """Write a file of so many batches, in which the last event of each is repeated in the next."""
    lines = []
    for number in range(batches * ROWS):
        name = number - number // ROWS
        event = {"event_id": f"e{name}", "event_type": "view", "user_id": f"u{name % 7}"}
        lines.append(json.dumps({**event, "timestamp": "2026-01-05T00:00:00Z"}))
    file = folder / "events.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(files, "COMMIT_ROWS", ROWS)
    monkeypatch.setattr("workbench.ingest.chunks.FIRST_ROWS", ROWS)
    monkeypatch.setattr("workbench.ingest.chunks.BATCH_ROWS", ROWS)
    monkeypatch.setattr("workbench.ingest.patience.LONGEST_WAIT", 0.5)


def count(store):
    (row,) = store.snapshot().query("SELECT count(*) AS n, count(DISTINCT event_id) AS ids FROM events").to_pylist()
    return row["n"], row["ids"]


def test_batches_that_were_applied_but_timed_out_count_once(server, small_batches, tmp_path):
    with between(server.port) as proxy:
        store, turn = ClickHouseStore(proxy.dsn(timeout=1), control=tmp_path), itertools.count()
        proxy.late = 1.2
        tries = lambda: STALL if next(turn) % 2 == 0 else PASS  # noqa: E731 - the first try of each batch, not the second
        proxy.fault = lambda statement: tries() if "INSERT INTO `events`" in statement else PASS
        summary = files.ingest(store, export(tmp_path, TIMED_OUT))
        assert proxy.count(STALL) == TIMED_OUT
    repeated = TIMED_OUT - 1
    events = TIMED_OUT * ROWS - repeated
    assert (summary.read, summary.accepted, summary.duplicates) == (TIMED_OUT * ROWS, events, repeated)
    assert count(store) == (events, events)
    assert len(store.snapshot().head.given_up) == TIMED_OUT


def test_batches_whose_last_word_was_lost_count_once_and_are_told_as_they_are(server, small_batches, tmp_path):
    with between(server.port) as proxy:
        store, turn = ClickHouseStore(proxy.dsn(), control=tmp_path), itertools.count()
        lost = lambda: SWALLOW if next(turn) % 2 == 0 else PASS  # noqa: E731
        proxy.fault = lambda statement: lost() if "param_kind=complete" in statement else PASS
        summary = files.ingest(store, export(tmp_path, 10))
        assert proxy.count(SWALLOW) >= 5
    assert (summary.read, summary.accepted, summary.duplicates) == (200, 191, 9)
    assert count(store) == (191, 191)


def test_ingest_waits_for_a_server_that_is_away_and_goes_on_by_itself(server, small_batches, tmp_path):
    store, told = ClickHouseStore(server.dsn, control=tmp_path), []
    goes_on = threading.Event()

    def off_and_on():
        for _ in range(5):
            while store.where and not goes_on.wait(0.05):
                pass
            server.stop()
            time.sleep(DOWN_SECONDS)
            server.start()
            goes_on.clear()

    switch = threading.Thread(target=off_and_on)
    switch.start()
    summary = files.ingest(store, export(tmp_path, 60), progress=lambda **_: Bar(goes_on, told))
    switch.join()
    assert sum(text.startswith("waiting: clickhouse://") for text in told) >= 5
    assert (summary.read, summary.accepted, summary.duplicates) == (1_200, 1_141, 59)
    assert count(store) == (1_141, 1_141)


class Bar:
    """Asks for the server to be switched off at every tenth batch."""

    def __init__(self, goes_on, told):
        self.goes_on, self.told, self.updates = goes_on, told, 0

    def update(self, _):
        self.updates += 1
        if self.updates % 10 == 5 and self.updates < 50:
            self.goes_on.set()
            time.sleep(0.05)

    def set_postfix_str(self, text):
        self.told.append(text)

    def close(self):
        """Nothing to close."""


def test_a_slow_server_is_only_slow(server, small_batches, tmp_path):
    with between(server.port) as proxy:
        store = ClickHouseStore(proxy.dsn(), control=tmp_path)
        proxy.delay = 0.05
        files.ingest(store, export(tmp_path, 4))
    assert count(store) == (77, 77)


def test_a_server_that_stays_away_ends_the_ingest_and_what_is_in_stays(server, small_batches, tmp_path, monkeypatch):
    monkeypatch.setattr("workbench.ingest.patience.PATIENCE_SECONDS", 0.5)
    with between(server.port) as proxy:
        store, file = ClickHouseStore(proxy.dsn(), control=tmp_path), export(tmp_path, 6)

        def refuse_the_third(statement):
            proxy.refuses = proxy.refuses or (len(commits(proxy)) == 3 and "param_kind=claimed" in statement)
            return PASS

        proxy.fault = refuse_the_third
        with pytest.raises(StoreAway, match="does not answer"):
            files.ingest(store, file)
        proxy.fault, proxy.refuses = (lambda _: PASS), False
        assert count(store) == (58, 58)
        assert files.ingest(store, file).read == 60
    assert count(store) == (115, 115)


def commits(proxy):
    return [statement for statement, _ in proxy.seen if "param_kind=complete" in statement]
