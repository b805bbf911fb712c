from __future__ import annotations

import msgspec
import pytest

from workbench.errors import InvalidArgument
from workbench.ingest import rejects
from workbench.ingest.files import ingest

GOOD = {"event_id": "1", "event_type": "view", "user_id": "ann", "occurred_at": "2026-03-01T09:00:00Z"}
MAPPING = "fields: {event_type: [type, kind], user_id: who, occurred_at: when}\n"
ROW = {"type": "view", "who": "ann", "when": "2026-03-01T09:00:00Z"}


@pytest.fixture
def put(store, tmp_path, now):
    """Ingest lines."""

    def put(*rows, name="a.jsonl", mapping="native"):
        lines = [row if isinstance(row, bytes) else msgspec.json.encode(row) for row in rows]
        (tmp_path / name).write_bytes(b"\n".join(lines))
        ingest(store, tmp_path / name, mapping=mapping, now=now)

    return put


@pytest.fixture
def mapping(tmp_path):
    (tmp_path / "mine.yaml").write_text(MAPPING, encoding="utf-8")
    return tmp_path / "mine.yaml"


def test_rejects_are_listed_by_reason_and_by_source(store, put):
    put(GOOD, b"{", GOOD | {"user_id": 5}, b"{{")
    put(GOOD, b"}", name="b.jsonl")
    assert [row.original for row in rejects.list_(store.control, reason="bad_json", limit=2)] in (
        [b"{", b"{{"],
        [b"}", b"{"],
    )
    (source,) = {row.source for row in rejects.list_(store.control) if row.name.endswith("b.jsonl")}
    assert [row.original for row in rejects.list_(store.control, source=source)] == [b"}"]
    with pytest.raises(InvalidArgument, match="no reason 'ugly': there are too_large, bad_encoding"):
        rejects.list_(store.control, reason="ugly")


def test_a_reject_is_shown_by_the_beginning_of_its_id(store, put):
    put(GOOD, b"{", b"{{")
    first, second = rejects.list_(store.control)
    assert rejects.show(store.control, first.reject_id[:12]) == first
    for unclear, message in (("", "several rejects have"), ("no%", "no reject has")):
        with pytest.raises(InvalidArgument, match=message):
            rejects.show(store.control, unclear)
    assert second.reject_id != first.reject_id


def test_what_is_an_event_now_goes_in_once(store, put, mapping, now):
    put(ROW, {"sort": "buy", "who": "bob", "when": ROW["when"]}, mapping=mapping)
    mapping.write_text(MAPPING.replace("kind", "sort"), encoding="utf-8")
    summary = rejects.replay(store, now=now)
    assert (summary.read, summary.accepted, summary.rejected) == (1, 1, {})
    assert [row["event_type"] for row in store.rows()] == ["view", "buy"]
    assert rejects.list_(store.control)[0].replayed_at == now.isoformat()
    assert rejects.replay(store, now=now).read == 0


def test_what_is_still_no_event_stays(store, put, now):
    put(GOOD, b"{", b"x" * 2_000_000)
    summary = rejects.replay(store, now=now)
    assert (summary.read, summary.accepted, summary.rejected) == (2, 0, {"bad_json": 1, "too_large": 1})
    assert [row.replayed_at for row in rejects.list_(store.control)] == [None, None]


def test_only_what_was_chosen_is_replayed(store, put, mapping, now):
    put(GOOD, {"type": "a", "who": "x", "when": ROW["when"]}, b"{", {"type": "b", "who": "y", "when": ROW["when"]})
    first, _, second = rejects.list_(store.control)
    assert rejects.replay(store, ids=[first.reject_id[:10]], mapping=mapping, now=now).accepted == 1
    assert rejects.replay(store, reason="missing_field", mapping=mapping, now=now).accepted == 1
    assert [row["event_type"] for row in store.rows()] == ["view", "a", "b"]
    assert second.replayed_at is None


def test_identical_rows_without_ids_are_replayed_each_once_as_the_whole_file_would_be(
    store, put, mapping, now, tmp_path
):
    twins = {"sort": "buy", "who": "bob", "when": ROW["when"]}
    put(ROW, twins, twins, mapping=mapping)
    mapping.write_text(MAPPING.replace("kind", "sort"), encoding="utf-8")
    for row in rejects.list_(store.control):
        rejects.replay(store, ids=[row.reject_id], now=now)
    assert len(store.by_id()) == 3
    assert ingest(store, tmp_path / "a.jsonl", mapping=mapping, now=now).duplicates == 3


def test_a_replay_that_is_interrupted_and_repeated_counts_once(store, put, mapping, now):
    put(ROW, *({"sort": "buy", "who": who, "when": ROW["when"]} for who in "abc"), mapping=mapping)
    mapping.write_text(MAPPING.replace("kind", "sort"), encoding="utf-8")
    store.breaks = {-(store.appends + 1)}
    with pytest.raises(KeyboardInterrupt):
        rejects.replay(store, now=now)
    rejects.replay(store, now=now)
    assert (len(store.by_id()), rejects.replay(store, now=now).read) == (4, 0)


TABLE = """event_id,event_type,user_id,occurred_at,value
1,v,ann,2026-03-01T09:00:00Z,
2,v,ann,2999-01-01T00:00:00Z,3.5
3,v
"""


def test_a_row_of_a_table_is_replayed_as_a_row_of_that_table(store, tmp_path, now, monkeypatch):
    (tmp_path / "a.csv").write_text(TABLE, encoding="utf-8")
    ingest(store, tmp_path / "a.csv", now=now)
    monkeypatch.setattr(store, "append", lambda events, **_: store.tables.append(events))
    assert rejects.replay(store, now=now.replace(year=2999)).rejected == {"bad_row": 1}
    assert store.by_id()["2"]["value"] == 3.5
