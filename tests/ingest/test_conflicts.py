"""The same id with another event: never dropped in silence, in files, in replays and in the stream, in both stores."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ingest.queue import Queue, message
from tests.ingest.test_consumer import consume
from workbench.ingest import files, ledger, rejects
from workbench.store import lake_ids, maintenance
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.lake import LakeStore

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = "2026-11-01T09:00:00Z"


@pytest.fixture(scope="module")
def house():
    store = ClickHouseStore("chdb://:memory:")
    yield store
    store.close()


@pytest.fixture(params=["lake", "sorted at once", "keys known", "chdb"])
def store(request, tmp_path, monkeypatch):
    if request.param == "chdb":
        house = request.getfixturevalue("house")
        house.clear()
        house._folder = tmp_path / "beside"
        return house
    if request.param == "sorted at once":
        monkeypatch.setattr(maintenance, "BULK", 1)
    if request.param == "keys known":
        monkeypatch.setattr(lake_ids, "LOOKUPS", 0)
    return LakeStore(tmp_path / "lake")


def row(event_id, event_type="view", user_id="ann", occurred_at=AT, **more):
    return {"event_id": event_id, "event_type": event_type, "user_id": user_id, "occurred_at": occurred_at, **more}


def export(tmp_path, name, rows):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ingest(store, tmp_path, name, *rows):
    return files.ingest(store, export(tmp_path, name, rows), now=NOW)


def told(store):
    rows = store.snapshot().query("SELECT event_id, event_type, user_id FROM events ORDER BY event_id").to_pylist()
    return {row["event_id"]: (row["event_type"], row["user_id"]) for row in rows}


OTHERS = {
    "event_type": row("1", event_type="buy"),
    "user_id": row("1", user_id="bob"),
    "occurred_at": row("1", occurred_at="2026-11-01T09:00:00.000001Z"),
}


@pytest.mark.parametrize("field", OTHERS)
def test_another_event_under_a_known_id_is_rejected_with_its_bytes(store, tmp_path, field):
    ingest(store, tmp_path, "one.jsonl", row("1"), row("2"))
    summary = ingest(store, tmp_path, "two.jsonl", row("3"), OTHERS[field], row("2"))
    assert (summary.read, summary.accepted, summary.duplicates) == (3, 1, 1)
    assert summary.rejected == {"conflicting_id": 1}
    (reject,) = rejects.list_(store.control, reason="conflicting_id")
    assert reject.original == json.dumps(OTHERS[field]).encode()
    assert (reject.position, field in reject.detail) == (1, True)
    assert told(store) == {"1": ("view", "ann"), "2": ("view", "ann"), "3": ("view", "ann")}


def test_an_event_that_comes_again_with_other_properties_is_a_repeat(store, tmp_path):
    ingest(store, tmp_path, "one.jsonl", row("1", platform="web"))
    summary = ingest(store, tmp_path, "two.jsonl", row("1", occurred_at="2026-11-01T10:00:00+01:00", price=3))
    assert (summary.duplicates, summary.rejected) == (1, {})


def test_of_two_events_with_one_id_in_one_file_the_first_stays(store, tmp_path):
    summary = ingest(store, tmp_path, "one.jsonl", row("1"), row("1", "buy"), row("1"), row("1", "buy", "bob"))
    assert (summary.accepted, summary.duplicates, summary.rejected) == (1, 1, {"conflicting_id": 2})
    assert told(store) == {"1": ("view", "ann")}
    assert [reject.position for reject in rejects.list_(store.control)] == [1, 3]


def test_conflicts_between_the_batches_of_a_file_are_found(store, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "COMMIT_ROWS", 1)
    rows = [row(f"{number % 1_500}", "view" if number < 1_500 else "buy") for number in range(2_000)]
    summary = ingest(store, tmp_path, "one.jsonl", *rows)
    assert (summary.accepted, summary.duplicates, summary.rejected) == (1_500, 0, {"conflicting_id": 500})
    kept = {reject.position: reject.original for reject in rejects.list_(store.control)}
    assert kept == {number: json.dumps(rows[number]).encode() for number in range(1_500, 2_000)}


def test_csv_and_parquet_keep_what_can_be_read_again(store, tmp_path):
    ingest(store, tmp_path, "one.jsonl", row("1"), row("2"))
    (tmp_path / "two.csv").write_text(
        f"event_id,event_type,user_id,occurred_at,shop\n1,buy,ann,{AT},x\n9,buy,ann,{AT},y\n"
    )
    pq.write_table(pa.table({name: [value] for name, value in row("2", "sell").items()}), tmp_path / "three.parquet")
    for name in ("two.csv", "three.parquet"):
        assert files.ingest(store, tmp_path / name, now=NOW).rejected == {"conflicting_id": 1}
    kept = [json.loads(reject.original) for reject in rejects.list_(store.control)]
    assert sorted(each["event_type"] for each in kept) == ["buy", "sell"]
    assert rejects.replay(store, now=NOW).rejected == {"conflicting_id": 2}


def test_a_conflict_of_binary_text_or_ids_that_became_floats_is_replayed_as_it_was_read(tmp_path):
    lake = LakeStore(tmp_path / "lake")
    ingest(lake, tmp_path, "one.jsonl", row("1", user_id="7"))
    binary = {name: [value.encode()] for name, value in row("1", "buy", "7").items()}
    pq.write_table(pa.table(binary), tmp_path / "two.parquet")
    (tmp_path / "three.csv").write_text(f"event_id,event_type,user_id,occurred_at\n1.0,sell,7.0,{AT}\n")
    for name in ("two.parquet", "three.csv"):
        assert files.ingest(lake, tmp_path / name, now=NOW).rejected == {"conflicting_id": 1}
    kept = [json.loads(reject.original) for reject in rejects.list_(lake.control)]
    assert sorted((each["event_id"], each["event_type"], each["user_id"]) for each in kept) == [
        ("1", "buy", "7"),
        ("1", "sell", "7"),
    ]
    assert rejects.replay(lake, now=NOW).rejected == {"conflicting_id": 2}


def test_a_conflict_that_is_replayed_stays_one_reject(store, tmp_path):
    ingest(store, tmp_path, "one.jsonl", row("1"))
    ingest(store, tmp_path, "two.jsonl", row("1", "buy"))
    for _ in range(3):
        summary = rejects.replay(store, now=NOW)
        assert (summary.read, summary.accepted, summary.duplicates) == (1, 0, 0)
        assert summary.rejected == {"conflicting_id": 1}
        assert len(rejects.list_(store.control)) == 1
    assert told(store) == {"1": ("view", "ann")}


def test_a_reject_that_turns_out_to_be_a_conflict_says_so(store, tmp_path):
    ingest(store, tmp_path, "one.jsonl", row("1"), {**row("1", "buy"), "occurred_at": None, "when": AT})
    mapping = tmp_path / "fixed.yaml"
    mapping.write_text(
        "fields: {event_id: event_id, event_type: event_type, user_id: user_id, occurred_at: when}\ntime: iso\n"
    )
    assert rejects.replay(store, mapping=mapping, now=NOW).rejected == {"conflicting_id": 1}
    assert [reject.reason for reject in rejects.list_(store.control)] == ["conflicting_id"]


def test_when_most_of_a_new_file_is_there_already_the_summary_says_so(store, tmp_path):
    rows = [row(f"{number}") for number in range(1_200)]
    first = ingest(store, tmp_path, "one.jsonl", *rows[:1_000])
    assert first.mostly_known == ()
    second = ingest(store, tmp_path, "two.jsonl", *rows)
    assert "1,000 of 1,200 events were there already" in second.reading()
    assert (second.accepted, second.duplicates) == (200, 1_000)
    third = ingest(store, tmp_path, "three.jsonl", *(row(f"n{number}") for number in range(600)), *rows[:600])
    assert third.mostly_known == ()  # half is not most
    assert files.ingest(store, tmp_path / "two.jsonl", now=NOW).mostly_known == ()  # it was ingested before


def test_standard_input_keeps_the_bytes_of_its_conflicts(store, tmp_path, monkeypatch):
    ingest(store, tmp_path, "one.jsonl", row("1"))
    monkeypatch.setattr(files, "COMMIT_ROWS", 1)
    path = export(tmp_path, "piped", [*(row(f"n{number}") for number in range(1_500)), row("1", "buy")])
    with path.open("rb") as stream:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": stream}))
        assert files.ingest(store, "-", now=NOW).rejected == {"conflicting_id": 1}
    assert [reject.original for reject in rejects.list_(store.control)] == [json.dumps(row("1", "buy")).encode()]


def test_a_batch_that_died_after_its_conflicts_were_kept_keeps_them_once(store, tmp_path, monkeypatch):
    ingest(store, tmp_path, "one.jsonl", row("1"))
    real = ledger.set_aside
    died = []

    def dying(path, entry, rejected, *, now):
        real(path, entry, rejected, now=now)
        if rejected and not died:
            died.append(True)
            raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "set_aside", dying)
    with pytest.raises(KeyboardInterrupt):
        ingest(store, tmp_path, "two.jsonl", row("1", "buy"), row("2"))
    summary = ingest(store, tmp_path, "two.jsonl", row("1", "buy"), row("2"))
    assert (summary.accepted, summary.rejected) == (1, {"conflicting_id": 1})
    assert len(rejects.list_(store.control)) == 1


def test_a_stream_rejects_what_conflicts_by_another_partition(store):
    queue = Queue({"t-0": [message(0), message(1)], "t-1": [message(1), message(0, event_type="buy"), message(2)]})
    status = consume(queue, store, seconds=60)
    assert (status.read, status.rejected) == (5, {"conflicting_id": 1})
    (reject,) = rejects.list_(store.control)
    assert (reject.source, reject.position) == ("t-1", 1)
    assert reject.original == message(0, event_type="buy")
    assert {name: kind for name, (kind, _) in told(store).items()} == dict.fromkeys(("e0", "e1", "e2"), "view")


ROWS = st.tuples(st.integers(0, 5), st.sampled_from(["view", "buy"]), st.sampled_from(["ann", "bob"]))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(ROWS, min_size=1, max_size=6), min_size=1, max_size=5))
def test_whatever_comes_in_which_order_is_new_repeated_or_a_conflict(tmp_path_factory, batches):
    folder = tmp_path_factory.mktemp("any")
    lakes = [LakeStore(folder / "lake"), LakeStore(folder / "lake")]
    first, sent = {}, 0
    for number, batch in enumerate(batches):
        rows = [row(str(event_id), kind, user, n=sent + place) for place, (event_id, kind, user) in enumerate(batch)]
        sent += len(batch)
        expected = {"new": 0, "repeated": 0, "conflicts": 0}
        for event_id, kind, user in batch:
            known = first.setdefault(str(event_id), (kind, user, number))
            what = "new" if known[2] == number and known[3:] == () else "repeated"
            if what == "new":
                first[str(event_id)] = (kind, user, number, True)
            elif known[:2] != (kind, user):
                what = "conflicts"
            expected[what] += 1
        summary = ingest(lakes[number % 2], folder, f"{number}.jsonl", *rows)
        found = summary.accepted, summary.duplicates, summary.rejected.get("conflicting_id", 0)
        assert found == tuple(expected.values())
    assert told(lakes[0]) == {event_id: known[:2] for event_id, known in first.items()}


def test_conflicts_that_wait_in_an_old_tail_are_kept_when_it_is_sorted(tmp_path, monkeypatch):
    lake = LakeStore(tmp_path / "lake")
    ingest(lake, tmp_path, "one.jsonl", row("1"))
    monkeypatch.setattr(lake_ids, "lookup", lambda *_: lake_ids._NOTHING)  # as a version did that did not look
    monkeypatch.setattr(LakeStore, "maintain", lambda *_: 0)
    ingest(LakeStore(tmp_path / "lake"), tmp_path, "two.jsonl", row("1", "buy", shop="x"))
    monkeypatch.undo()
    assert (lake.maintain(), lake.maintain()) == (1, 0)
    (reject,) = rejects.list_(lake.control)
    assert (reject.reason, reject.source) == ("conflicting_id", "compaction")
    assert json.loads(reject.original)["properties"] == {"shop": "x"}
    assert rejects.replay(lake, now=NOW).rejected == {"conflicting_id": 1}
