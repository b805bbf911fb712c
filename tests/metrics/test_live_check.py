"""Live equals batch: closed windows are those of history, however events come; and what differs is found."""

from __future__ import annotations

from random import Random

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.metrics.streams import NOW, Consumer, History, Killed, event
from tests.test_engines_agree import PROPERTIES
from workbench.metrics.live_check import live_check
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.lake import LakeStore
from workbench.store.live import MINUTES, Changes, LiveStore
from workbench.store.live_minutes import pack, unpack
from workbench.store.live_rebuild import rebuild
from workbench.store.live_sqlite import SQLiteBlobs
from workbench.store.live_state import Policy
from workbench.testing import stored

EXAMPLES = settings.default.max_examples // 10
POLICY = Policy(lateness=3, horizon=180, idle=1000)
TYPES = ["view", "message_sent", "request", "ai_interaction", "raid_started", "raid_joined", "raid_ended"]
SECONDS = ("events", "requests", "errors", "timed", "p50_ms", "p95_ms", "p99_ms", "participants")


@pytest.fixture
def opening(tmp_path):
    opened = []

    def live():
        opened.append(SQLiteBlobs(tmp_path / f"live-{len(opened)}.db"))
        return LiveStore(opened[-1], POLICY)

    yield live
    [blobs.close() for blobs in opened]


def residual(check, *numbers):
    rows = check.frame[check.frame["number"].isin(numbers)] if numbers else check.frame
    return rows["residual"].sum()


@st.composite
def logs(draw, *, shuffle=40, late=0):
    """Messages of two sources: events in rough order, some of them again later, some that are no events.

    The sources are shuffled by `shuffle` seconds, which is less than the horizon; with `late`, some come far too late.
    """
    chance = Random(draw(st.integers(0, 2**32)))  # noqa: S311 - made-up deliveries
    log = {"events-0": [], "events-1": []}
    for number in range(draw(st.integers(20, 80))):
        made = event(
            number, number * chance.choice([1, 5, 8]) + chance.random(), chance.choice(TYPES),
            user=chance.choice("abcdefg"), platform=chance.choice([None, "web", "discord"]),
            raid_id=chance.choice([None, "r1", "r2"]), properties=chance.choice(PROPERTIES),
        )  # fmt: skip
        copies = chance.choice([1, 1, 1, 2])
        for _ in range(copies):
            log[chance.choice([*log])].append((made.occurred_at.timestamp() + chance.uniform(0, shuffle), made))
        if chance.random() < 0.1:
            log["events-0"].append((made.occurred_at.timestamp(), None))
        if late and chance.random() < 0.1:
            log["events-1"].append((made.occurred_at.timestamp() + late, event(f"late {number}", number, user="zoe")))
    return {source: [made for _, made in sorted(rows, key=lambda row: row[0])] for source, rows in log.items()}


CRASHES = st.lists(st.sampled_from(["", "", "before", "between"]), max_size=6)


FEW = st.lists(st.sampled_from(["", "between"]), max_size=3)


def deliver(history, live, log, crashes, seed):
    """Read everything, a few messages at a time, beginning anew after each crash."""
    chance = Random(seed)  # noqa: S311 - made-up deliveries
    consumer = Consumer(history, live, log)
    for dies in crashes:
        try:
            consumer.poll({source: chance.randint(0, 25) for source in log}, dies=dies)
        except Killed:
            consumer = Consumer(history, live, log)
        yield
    consumer.drain()
    yield


@settings(max_examples=EXAMPLES)
@given(log=logs(), crashes=CRASHES, seed=st.integers(0, 2**32))
def test_closed_windows_are_those_of_history_whatever_the_delivery(opening, log, crashes, seed):
    """Duplicates, shuffles, rejects, two sources, crashes before history and between history and live numbers."""
    history, live = History(), opening()
    for _ in deliver(history, live, log, crashes, seed):
        pass
    check = live_check(history, live)
    assert check.frame.query("residual > 0").to_dict("records") == []
    assert check.sources["rejected"].sum() == sum(made is None for rows in log.values() for made in rows)


@settings(max_examples=EXAMPLES)
@given(log=logs(), crashes=FEW, seed=st.integers(0, 2**32))
def test_at_every_moment_what_differs_is_what_only_one_of_both_has_read(opening, log, crashes, seed):
    history, live = History(), opening()
    for _ in deliver(history, live, log, crashes, seed):
        if live.state().watermark is not None:
            check = live_check(history, live)
            assert check.unexplained == 0, check.frame.query("unexplained > 0").to_dict("records")
            assert residual(check) == check.frame["not_yet_live"].sum()


@settings(max_examples=EXAMPLES)
@given(log=logs(late=700), crashes=CRASHES, seed=st.integers(0, 2**32))
def test_what_comes_too_late_is_missing_in_trailing_windows_alone_and_said(opening, log, crashes, seed):
    history, live = History(), opening()
    for _ in deliver(history, live, log, crashes, seed):
        pass
    check = live_check(history, live)
    assert residual(check, *SECONDS) == 0
    assert residual(check) == check.frame["late"].sum()


@settings(max_examples=EXAMPLES)
@given(log=logs(), seed=st.integers(0, 2**32))
def test_numbers_made_anew_from_history_are_the_same_and_go_on(opening, log, seed):
    history, live = History(), opening()
    for _ in deliver(history, live, log, [""] * 5, seed):
        pass
    anew = opening()
    rebuild(anew, history.snapshot(), now=NOW)
    check = live_check(history, anew)
    assert residual(check) == 0
    old, new = live.picture(), anew.picture()
    assert new.state.watermark <= old.state.watermark  # history does not know of duplicates
    for minute in old.minutes.keys() & new.minutes.keys():
        assert new.minutes[minute].users.tolist() == old.minutes[minute].users.tolist()
    longer = {source: [*rows, event(f"more {source}", 2000)] for source, rows in log.items()}
    Consumer(history, anew, longer).drain()
    assert residual(live_check(history, anew)) == 0


def stream(history, live, log):
    Consumer(history, live, log).drain()


ORDINARY = {
    "events-0": [event(n, n, "request", user=f"u{n % 7}", properties={"response_time_ms": n}) for n in range(200)]
}


def test_an_error_that_was_planted_is_found_and_has_no_cause(opening):
    history, live = History(), opening()
    stream(history, live, ORDINARY)
    assert residual(live_check(history, live)) == 0
    for change in (more_errors, fewer_events, other_people, slower):
        tamper(live, change)
        check = live_check(history, live)
        assert check.unexplained > 0, change
        assert "unexplained" in check.reading()
        live = opening()
        Consumer(history, live, ORDINARY).drain()


def tamper(live, change):
    minute = sorted(live.picture().minutes)[1]

    def work(get):
        numbers = unpack(get(MINUTES, [str(minute)])[str(minute)])
        change(numbers)
        return Changes(put={(MINUTES, str(minute)): pack(numbers)}), None

    live.blobs.change(work)
    live._read = ("", {})


def more_errors(minute):
    minute.errors[3] += 1


def fewer_events(minute):
    minute.cells = minute.cells[1:]


def other_people(minute):
    minute.users = minute.users[1:]


def slower(minute):
    minute.bins[:, 1] += 2


def test_history_that_lost_an_event_is_found(opening):
    history, live = History(), opening()
    stream(history, live, ORDINARY)
    history.events = history.events.filter(np.arange(history.events.num_rows) != 90)
    check = live_check(history, live)
    assert (residual(check, "events"), check.frame["not_yet_in_history"].sum()) == (1, 0)
    assert check.unexplained > 0


def test_live_numbers_ahead_of_history_say_so(opening):
    history, live = History(), opening()
    stream(history, live, ORDINARY)
    history.events, history.positions = history.events.slice(0, 150), {"events-0": 150}
    check = live_check(history, live)
    events = check.frame.set_index("number").loc["events"]
    assert events["residual"] == events["not_yet_in_history"] == 46  # 200 seconds, 3 of lateness, the last is open
    assert check.unexplained == 0


def test_events_that_came_to_history_another_way_are_named(opening):
    history, live = History(), opening()
    stream(history, live, ORDINARY)
    history.append(stored([event("file", 50.5)], source="csv-1"), source="csv-1", start=0, end=1)
    check = live_check(history, live)
    assert check.frame.set_index("number").loc["events", "not_streamed"] == 1
    assert check.cause == "not_streamed"
    assert check.unexplained == 0
    assert f"{check.residual:.0f} not streamed" in check.reading()


def test_one_id_with_two_times_is_named_a_duplicate(opening):
    history, live = History(), opening()
    log = {"events-0": [*ORDINARY["events-0"][:150], event(3, 100.5), *ORDINARY["events-0"][150:]]}
    stream(history, live, log)
    check = live_check(history, live)
    events = check.frame.set_index("number").loc["events"]
    assert events["residual"] == events["duplicate"] == 1
    assert check.unexplained == 0


def test_the_check_reads_a_lake_that_several_sources_were_streamed_into(opening, tmp_path):
    lake, live = LakeStore(tmp_path / "lake"), opening()
    for source, offset in (("events-0", 0), ("events-1", 0.5)):
        made = [event(f"{source} {n}", n + offset, user=f"u{n % 5}") for n in range(130)]
        rows = stored(made, source=source, ingested_at=NOW)
        plain = rows.drop_columns(["ingested_at", "source", "user_key"])
        lake.append(plain, source=source, start=0, end=130, ingested_at=NOW)
        live.apply(rows, moved={source: (0, 130)}, rejected={}, now=NOW)
    check = live_check(lake, live)
    assert residual(check) == 0
    assert check.frame.set_index("number").loc["events", "live"] == 2 * 126
    assert "without any residual" in check.reading()
    assert msgspec.json.encode(check.to_dict())


def test_the_check_asks_clickhouse_the_same(opening):
    house, live = ClickHouseStore("chdb://:memory:"), opening()
    house.clear()
    kinds = ["request", "raid_joined", "view"]
    made = [
        event(
            n, n / 2, kinds[n % 3], user=f"u{n % 5}", raid_id="r", properties={"response_time_ms": n, "status": 400 + n}
        )
        for n in range(300)
    ] + [event("start", 3, "raid_started", raid_id="r")]
    rows = stored(made, source="events-0", ingested_at=NOW)
    plain = rows.drop_columns(["ingested_at", "source", "user_key"])
    house.append(plain.slice(0, 280), source="events-0", start=0, end=280, ingested_at=NOW)
    live.apply(rows, moved={"events-0": (0, 301)}, rejected={}, now=NOW)
    behind = live_check(house, live)
    house.append(plain.slice(280), source="events-0", start=280, end=301, ingested_at=NOW)
    level = live_check(house, live)
    anew = opening()
    rebuild(anew, house.snapshot(), now=NOW)
    again = live_check(house, anew)
    house.clear()
    house.close()
    assert behind.frame.set_index("number").loc["events", "not_yet_in_history"] > 0
    assert behind.unexplained == 0
    assert residual(level) == residual(again) == 0
    assert anew.position("events-0") == 301
    assert level.frame.set_index("number").loc["errors", "live"] > 30


def test_raids_in_progress_are_compared(opening):
    history, live = History(), opening()
    log = {
        "events-0": [
            event("s", 10, "raid_started", raid_id="r"),
            *[event(f"j{n}", 20 + n, "raid_joined", user=f"u{n % 3}", raid_id="r") for n in range(6)],
            event("t", 100, "raid_started", raid_id="q"),
            event("e", 120, "raid_ended", raid_id="q"),
            event("end", 200),
        ]
    }
    stream(history, live, log)
    row = live_check(history, live).frame.set_index("number").loc["participants"]
    assert (row["windows"], row["live"], row["history"], row["residual"]) == (1, 3, 3, 0)


def test_what_was_never_read_live_is_not_known_and_nothing_is_claimed_of_it(opening):
    """Live numbers that begin in the middle of a source, as a consumer does that goes back no further than an hour."""
    history, live = History(), opening()
    made = [event(n, n, "view", user=f"u{n % 7}") for n in range(400)]
    rows = stored(made, source="events-0", ingested_at=NOW)
    history.append(rows, source="events-0", start=0, end=400)
    live.apply(rows.slice(150, 100), moved={"events-0": (0, 250)}, rejected={}, now=NOW)
    live.apply(rows.slice(250), moved={"events-0": (250, 400)}, rejected={}, now=NOW)
    check = live_check(history, live)
    assert residual(check) == 0
    assert check.definition.since >= made[150].occurred_at
    late = stored([event("early", 160.5)], source="events-0", ingested_at=NOW)
    live.apply(late.slice(0, 0), moved={"events-0": (400, 401)}, rejected={}, now=NOW)
    assert live_check(history, live).definition.since == check.definition.since


def test_positions_without_a_message_are_no_gap(opening):
    history, live = History(), opening()
    rows = stored([event(n, n) for n in range(100)], source="events-0", ingested_at=NOW)
    places = [0, *range(3, 102)]
    rows = rows.set_column(rows.column_names.index("position"), "position", pa.array(places, pa.int64()))
    history.append(rows, source="events-0", start=0, end=102)
    live.apply(rows.slice(0, 1), moved={"events-0": (0, 1)}, rejected={}, now=NOW)
    live.apply(rows.slice(1), moved={"events-0": (1, 102)}, rejected={}, now=NOW)
    check = live_check(history, live)
    assert residual(check) == 0
    assert check.definition.since < rows["occurred_at"][1].as_py()
