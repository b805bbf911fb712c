from __future__ import annotations

import time

import msgspec
import pytest

from tests.store.deliveries import put
from workbench.errors import SourceError
from workbench.ingest.announce import Announcer, announcing
from workbench.store.live import LiveStore
from workbench.store.live_sqlite import SQLiteBlobs
from workbench.store.live_state import Policy


class Topic:
    """Keeps what was flushed, as `Outlet`; refuses while it is away."""

    def __init__(self):
        self.messages, self.sent, self.away, self.opened = [], [], False, 0

    def open(self):
        self.opened += 1
        return self

    def send(self, value, *, key=None):
        self.sent.append(msgspec.json.decode(value))

    def flush(self):
        sent, self.sent = self.sent, []
        if self.away:
            raise SourceError("no broker answers")
        self.messages += sent

    def close(self):
        self.sent = []


@pytest.fixture
def live(tmp_path):
    return LiveStore(SQLiteBlobs(tmp_path / "live.db"), Policy(lateness=5, horizon=3600, idle=30))


@pytest.fixture
def topic():
    return Topic()


def told(topic):
    return [(message["start"][17:19], message["state"], message["events"]) for message in topic.messages]


def test_a_second_is_told_once_it_is_closed(live, topic, tmp_path):
    announcer = Announcer(live, topic.open, tmp_path / "told.json")
    put(live, {"ann": "view:1 view:1 view:4"})
    assert announcer.tell() == 0
    assert topic.opened == 0
    put(live, {"bob": "view:7"})
    assert announcer.tell() == 1
    assert told(topic) == [("01", "closed", 2)]
    assert announcer.tell() == 0


def test_a_second_is_told_again_when_a_late_event_revised_it(live, topic, tmp_path):
    announcer = Announcer(live, topic.open, tmp_path / "told.json")
    put(live, {"ann": "view:1 view:20"})
    announcer.tell()
    put(live, {"late": "view:1"})
    announcer.tell()
    assert told(topic) == [("01", "closed", 1), ("01", "revised", 2)]


def test_what_the_queue_did_not_take_is_told_again(live, topic, tmp_path):
    announcer = Announcer(live, topic.open, tmp_path / "told.json")
    put(live, {"ann": "view:1 view:20"})
    topic.away = True
    with pytest.raises(SourceError):
        announcer.tell()
    topic.away = False
    assert announcer.tell() == 1
    assert told(topic) == [("01", "closed", 1)]


def test_another_process_goes_on_from_where_one_came_to(live, topic, tmp_path):
    put(live, {"ann": "view:1 view:20"})
    Announcer(live, topic.open, tmp_path / "told.json").tell()
    put(live, {"ann": "view:40"})
    assert Announcer(live, topic.open, tmp_path / "told.json").tell() == 1
    assert told(topic) == [("01", "closed", 1), ("20", "closed", 1)]


def test_only_one_of_two_tells_while_both_live(live, tmp_path):
    first, second = Topic(), Topic()
    with announcing(live, first.open, tmp_path / "told.json"):
        time.sleep(1.2)  # so that it has the lock
        put(live, {"ann": "view:1 view:20"})
        with announcing(live, second.open, tmp_path / "told.json"):
            deadline = time.monotonic() + 20
            while not first.messages and time.monotonic() < deadline:
                time.sleep(0.05)
    assert told(first) == [("01", "closed", 1)]
    assert second.messages == []


def test_a_queue_that_is_away_is_named_and_waited_for(live, topic, tmp_path):
    put(live, {"ann": "view:1 view:20"})
    topic.away = True
    announcer = Announcer(live, topic.open, tmp_path / "told.json", every=0.01)
    announcer.start()
    deadline = time.monotonic() + 20
    while announcer.trouble is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert announcer.trouble == "no broker answers"
    topic.away = False
    while not topic.messages and time.monotonic() < deadline:
        time.sleep(0.01)
    announcer.stop()
    assert told(topic) == [("01", "closed", 1)]
    assert announcer.trouble is None
