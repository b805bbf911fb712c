"""Files as other systems write them, from the file to the events of a store."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import workbench as wb
from workbench.errors import SourceError
from workbench.ingest import rejects
from workbench.ingest.files import ingest
from workbench.ingest.mappings import load
from workbench.store.lake import LakeStore
from workbench.times import NaiveTimes, TimeRules

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIELDS = "fields: {event_id: id, event_type: what, user_id: who, occurred_at: at, value: value, session_id: session}\n"
ROW = {"id": "1", "what": "view", "who": "ann", "at": "2026-01-05T10:00:00Z"}
BERLIN = TimeRules("Europe/Berlin")


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def written(frame, path):
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=True)
    return path


def mine(tmp_path, more="", fields=FIELDS):
    path = tmp_path / "mine.yaml"
    path.write_text(fields + more, encoding="utf-8")
    return path


def read(store, path, mapping="native", **options):
    return ingest(store, path, mapping=mapping, now=NOW, **options)


def events(store, *names):
    return [tuple(row[name] for name in names) for row in store.rows()]


def mixpanel(event, time, user, key):
    return {"event": event, "properties": {"time": time, "distinct_id": user, "$insert_id": key}}


SHARED = [mixpanel("view", 1767600000, "ann", "k1"), mixpanel("buy", 1767600060, "ann", "k1"),
          mixpanel("buy", 1767600060, "ann", "k1"), mixpanel("view", 1767600000, "bob", "k1")]  # fmt: skip


def test_events_that_share_an_insert_id_are_told_apart_and_true_repeats_are_not(store, tmp_path):
    summary = read(store, lines(tmp_path / "m.jsonl", *SHARED), "mixpanel")
    assert (summary.accepted, summary.duplicates, summary.notes) == (3, 1, ())


def test_a_store_that_began_with_the_insert_id_alone_goes_on_so_and_counts_nothing_twice(store, tmp_path):
    file = lines(tmp_path / "m.jsonl", SHARED[0])
    old = load("mixpanel").single_key
    (tmp_path / "old.yaml").write_text(
        "fields: " + json.dumps(old.fields) + "\ntime: s\nproperties: properties\nwithout_id: hash\n", encoding="utf-8"
    )
    assert load(tmp_path / "old.yaml").fingerprint == old.fingerprint
    read(store, file, tmp_path / "old.yaml")
    again = read(store, file, "mixpanel")
    assert again.skipped
    other = read(store, lines(tmp_path / "n.jsonl", SHARED[0], mixpanel("view", 1767600000, "cat", "k2")), "mixpanel")
    assert (other.accepted, other.duplicates) == (1, 1)
    assert "its key was a single field" in other.reading()


def test_a_key_of_several_columns_is_the_same_in_every_format_and_needs_all_its_parts(store, tmp_path):
    fields = "fields: {event_type: what, user_id: who, occurred_at: at}\nunique: [who, n, what]\nwithout_id: reject\n"
    mapping = mine(tmp_path, fields=fields)
    table = pd.DataFrame([{**ROW, "n": 7}, {**ROW, "n": 8}, {**ROW, "n": None}])
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_parquet(tmp_path / "a.parquet")
    lines(tmp_path / "a.jsonl", {**ROW, "n": 7}, {**ROW, "n": 8.0})
    for name in ("a.csv", "a.parquet", "a.jsonl"):
        read(store, tmp_path / name, mapping)
    assert len(set(events(store, "event_id"))) == 2
    assert len(events(store, "event_id")) == 6


def test_a_session_of_amplitude_that_is_none_is_none(store, tmp_path):
    row = {"uuid": "1", "event_type": "e", "user_id": "a", "event_time": "2026-01-05 10:00:00.000000"}
    file = lines(tmp_path / "a.jsonl", *({**row, "uuid": str(n), "session_id": n} for n in (-1, 5)), row)
    read(store, file, "amplitude", rules=BERLIN)
    assert events(store, "session_id") == [(None,), ("5",), (None,)]
    assert {row["occurred_at"] for row in store.rows()} == {datetime(2026, 1, 5, 10, tzinfo=UTC)}  # UTC by the vendor


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_columns_of_posthog_become_properties_by_their_names(store, tmp_path, format):
    row = {"uuid": "1", "event": "e", "distinct_id": "a", "timestamp": "2026-01-05T10:00:00Z",
           "properties.$lib": "web", "properties.page": "/a", "properties.none": "",
           "properties": '{"n": 1}'}  # fmt: skip
    for number, name in enumerate([[*row], [name for name in row if name != "properties"]]):
        frame = pd.DataFrame([{**row, "uuid": str(number)}])[name]
        file = tmp_path / f"{number}.{format}"
        frame.to_csv(file, index=False) if format == "csv" else frame.to_parquet(file)
        read(store, file, "posthog")
    found = [(platform, json.loads(text)) for platform, text in events(store, "platform", "properties")]
    assert found == [("web", {"n": 1, "$lib": "web", "page": "/a"}), ("web", {"$lib": "web", "page": "/a"})]


LOCAL = ["2026-01-05 00:30:00", "2026-03-29 02:30:00", "2026-10-25 02:30:00", "2026-01-05T00:30:00Z"]
INSTANTS = [datetime(2026, 1, 4, 23, 30, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 1, 5, 0, 30, tzinfo=UTC)]  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet text", "parquet timestamps", "mapped"])
def test_times_without_a_zone_are_read_by_one_rule_in_every_format(store, tmp_path, kind):
    rows = [{"event_id": str(n), "event_type": "e", "user_id": "u", "occurred_at": at} for n, at in enumerate(LOCAL)]
    frame, mapping, rules = pd.DataFrame(rows), "native", BERLIN
    file = tmp_path / f"x.{kind.partition(' ')[0]}"
    if kind == "jsonl":
        lines(file, *rows)
    elif kind == "parquet timestamps":
        frame = frame.head(3).assign(occurred_at=pd.to_datetime(frame["occurred_at"].head(3)))
        frame.to_parquet(file)
    elif kind == "parquet text":
        frame.to_parquet(file)
    else:
        file = tmp_path / "x.csv"
        frame.to_csv(file, index=False)
    if kind == "mapped":
        fields = "fields: {event_id: event_id, event_type: event_type, user_id: user_id, occurred_at: occurred_at}\n"
        mapping, rules = mine(tmp_path, "timezone: Europe/Berlin\n", fields=fields), TimeRules("Asia/Tokyo")
    summary = read(store, file, mapping, rules=rules)
    assert [row["occurred_at"] for row in store.rows()] == INSTANTS[: len(frame)]
    assert (summary.naive, summary.zone) == (NaiveTimes(3, 1, 1), "Europe/Berlin")
    assert "3 times without a zone were read in Europe/Berlin." in summary.reading()


def test_a_replayed_time_without_a_zone_is_read_by_the_same_rule(tmp_path):
    lake = LakeStore(tmp_path / "lake", create=True)
    row = {"event_id": "1", "event_type": "e", "user_id": "u", "occurred_at": "2026-11-25 00:30:00"}  # a clock ahead
    early = {**row, "event_id": "2", "occurred_at": "2026-01-05"}
    assert read(lake, lines(tmp_path / "x.jsonl", row, early), rules=BERLIN).rejected == {"bad_time": 1}
    summary = rejects.replay(lake, now=NOW + timedelta(days=9), rules=BERLIN)
    assert (summary.naive, summary.zone) == (NaiveTimes(1), "Europe/Berlin")
    [row] = lake.snapshot().query("SELECT max(occurred_at) AS at FROM events").to_pylist()
    assert row["at"] == datetime(2026, 11, 24, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("unit", ["iso", "s", "ms", "us", "ns"])
def test_days_of_a_spreadsheet_are_never_1970(store, tmp_path, format, unit):
    frame = pd.DataFrame([{**ROW, "id": "1", "at": 46_237.375}, {**ROW, "id": "2", "at": 46_238.0}])
    file = tmp_path / f"x.{format}"
    written(frame, file)
    read(store, file, mine(tmp_path, f"time: {unit}\n"), rules=BERLIN)
    assert [row["occurred_at"] for row in store.rows()] == [
        datetime(2026, 8, 3, 7, tzinfo=UTC), datetime(2026, 8, 3, 22, tzinfo=UTC)
    ]  # fmt: skip


def test_whole_days_of_a_spreadsheet_in_a_column_of_integers_are_days(store, tmp_path):
    table = pa.table({name: [value] * 2 for name, value in ROW.items()} | {"at": [46_237, 1_767_607_200]})
    pq.write_table(table, tmp_path / "x.parquet")
    read(store, tmp_path / "x.parquet", mine(tmp_path, "time: s\n"))
    assert [row["occurred_at"].date() for row in store.rows()] == [date(2026, 8, 3), date(2026, 1, 5)]


@pytest.mark.parametrize("unit", ["iso", "s", "ms", "us", "ns"])
@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_a_number_of_another_unit_is_rejected_and_the_right_one_is_named(store, tmp_path, unit, format):
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    for right, factor in scale.items():
        if right == unit:
            continue
        frame = pd.DataFrame([{**ROW, "at": 1_767_607_200 * factor}])
        file = tmp_path / f"{right}.{format}"
        written(frame, file)
        with pytest.raises(SourceError, match=r"bad_time .*(2026-01-05 10:00|in the future)"):
            read(store, file, mine(tmp_path, f"time: {unit}\n"))
    assert store.rows() == []


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_what_is_before_events_since_or_has_no_credible_value_is_rejected(store, tmp_path, kind):
    row = {"event_id": "1", "event_type": "e", "user_id": "u", "occurred_at": "2026-01-05T10:00:00Z", "value": 1.0}
    rows = [row, {**row, "occurred_at": "1970-01-01T00:00:00Z"}, {**row, "occurred_at": "1999-12-31T23:59:59Z"},
            {**row, "value": 1e39}, {**row, "value": -1e12},
            {**row, "event_id": "2", "value": 999_999_999_999.0}]  # fmt: skip
    file = tmp_path / f"x.{kind}"
    written(pd.DataFrame(rows), file)
    assert read(store, file).rejected == {"bad_time": 2, "bad_value": 2}
    since = TimeRules(since=datetime(1970, 1, 1, tzinfo=UTC))
    assert rejects.replay(store, now=NOW, rules=since).rejected == {"bad_value": 2}


@pytest.mark.parametrize("text", ["NaN", "nan", "NULL", r"\N", "null", "None", "NA", "N/A", "<NA>", "  ", ""])
def test_what_means_that_there_is_no_value_is_missing(store, tmp_path, text):
    (tmp_path / "x.csv").write_text(
        f"id,what,who,at,value,session\n1,e,u,2026-01-05,{text},\\N\n2,e,u,2026-01-05, 2.5 ,s\n", encoding="utf-8"
    )
    read(store, tmp_path / "x.csv", mine(tmp_path))
    assert events(store, "value", "session_id") == [(None, None), (2.5, "s")]


def test_not_a_number_is_missing_in_parquet_and_infinity_is_not(store, tmp_path):
    table = pa.table({name: [value] * 3 for name, value in ROW.items()} | {"value": [np.nan, np.inf, 1.0]})
    pq.write_table(table, tmp_path / "x.parquet")
    assert read(store, tmp_path / "x.parquet", mine(tmp_path)).rejected == {"bad_value": 1}
    assert events(store, "value") == [(None,), (1.0,)]


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_ids_that_became_fractions_are_whole_again(store, tmp_path, format):
    frame = pd.DataFrame([{**ROW, "id": str(n), "who": who, "session": s} for n, who, s in [(1, 123, 5), (2, 7, None)]])
    file = tmp_path / f"x.{format}"
    written(frame, file)
    read(store, file, mine(tmp_path))
    assert events(store, "user_id", "session_id") == [("123", "5"), ("7", None)]


def test_an_id_that_only_looks_like_a_fraction_stays_as_it_is(store, tmp_path):
    (tmp_path / "x.csv").write_text("id,what,who,at\n1,e,1.0,2026-01-05\n2,e,1.5,2026-01-05\n", encoding="utf-8")
    read(store, tmp_path / "x.csv", mine(tmp_path))
    assert events(store, "user_id") == [("1.0",), ("1.5",)]


def test_an_id_that_lost_digits_as_a_float_is_rejected(store, tmp_path):
    rows = [ROW, {**ROW, "id": "2", "who": 1.2345678901234568e17}]
    assert read(store, lines(tmp_path / "x.jsonl", *rows), mine(tmp_path)).rejected == {"wrong_type": 1}


def test_bytes_of_parquet_are_text_and_what_is_none_is_rejected_or_kept(store, tmp_path):
    table = pa.table({"event_id": [b"1", b"2"], "event_type": [b"view"] * 2, "user_id": [b"ann", b"\xff"],
                      "occurred_at": [datetime(2026, 1, 5)] * 2, "url": [b"/a", b"/b"],
                      "tags": [[b"x"], None], "blob": [b"\xfe", b"\xff"]})  # fmt: skip
    pq.write_table(table, tmp_path / "x.parquet")
    assert read(store, tmp_path / "x.parquet").rejected == {"bad_encoding": 1}
    [(user, properties)] = events(store, "user_id", "properties")
    assert (user, json.loads(properties)) == ("ann", {"url": "/a", "tags": ["x"], "blob": "/g=="})


GA4 = {"event_timestamp": "1767607200123456", "event_name": "page_view", "user_pseudo_id": "1.2",
       "event_params": [{"key": "ga_session_id", "value": {"int_value": "17"}},
                        {"key": "page", "value": {"string_value": "5"}},
                        {"key": "share", "value": {"double_value": 0.5}}, {"key": "none", "value": {}}]}  # fmt: skip


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_parameters_of_ga4_are_members(store, tmp_path, format):
    fields = (
        "fields: {event_type: event_name, user_id: user_pseudo_id, occurred_at: event_timestamp,"
        " session_id: event_params.ga_session_id}\ntime: us\n"
    )
    file = tmp_path / f"x.{format}"
    lines(file, GA4) if format == "jsonl" else pq.write_table(pa.Table.from_pylist([GA4]), file)
    read(store, file, mine(tmp_path, fields=fields))
    [(session, properties)] = events(store, "session_id", "properties")
    assert (session, json.loads(properties)) == ("17", {"ga_session_id": 17, "page": "5", "share": 0.5})


def test_a_document_is_refused_also_where_a_line_of_it_is_an_event(store, tmp_path):
    row = json.dumps({"event_id": "1", "event_type": "e", "user_id": "u", "occurred_at": "2026-01-05"})
    (tmp_path / "x.json").write_text(f"[\n{row},\n{row}\n]\n", encoding="utf-8")
    (tmp_path / "y.json").write_text(f'{{\n"events": [\n{row}\n]}}\n', encoding="utf-8")
    with pytest.raises(SourceError, match=r"jq -c '\.\[\]'"):
        read(store, tmp_path / "x.json")
    with pytest.raises(SourceError, match=r"jq -c '\.events\[\]'"):
        read(store, tmp_path / "y.json")
    assert store.rows() == []


def test_archives_are_told_what_to_do_and_folders_inside_are_named(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("a/b/x.jsonl", json.dumps(ROW))
    with pytest.raises(SourceError, match=r"export\.zip is a ZIP archive: unzip it"):
        read(store, tmp_path / "export.zip")
    with pytest.raises(SourceError, match=r"no file in .* export\.zip is a ZIP archive"):
        read(store, tmp_path)
    with zipfile.ZipFile(tmp_path / "export.zip") as archive:
        archive.extractall(tmp_path / "out")
    with pytest.raises(SourceError, match="name one of its folders: a/b"):
        read(store, tmp_path / "out")
    with pytest.raises(SourceError, match=r"did you mean .*export\.zip"):
        read(store, tmp_path / "exprot.zip")


def test_half_a_character_is_a_reject_and_never_a_traceback(store, tmp_path):
    whole = json.dumps({"event_id": "1", "event_type": "e", "user_id": "u", "occurred_at": "2026-01-05"})
    half = whole.replace('"u"', '"\\ud800"')
    (tmp_path / "x.jsonl").write_text(f"{whole}\n{half}\n", encoding="utf-8")
    assert read(store, tmp_path / "x.jsonl").rejected == {"bad_json": 1}


def test_the_bench_reads_naive_times_by_its_settings_from_file_and_frame(tmp_path):
    settings = wb.Settings(timezone="Europe/Berlin", events_since=date(2010, 1, 1))
    frame = pd.DataFrame({"event_id": ["1", "2"], "event_type": ["e"] * 2, "user_id": ["u"] * 2,
                          "occurred_at": ["2026-01-05 00:30:00", "2009-12-31 23:30:00+00"]})  # fmt: skip
    frame.to_csv(tmp_path / "x.csv", index=False)
    bench = wb.open(tmp_path / "lake", create=True, settings=settings)
    assert bench.ingest(tmp_path / "x.csv").accepted == 2  # midnight of 2010 in Berlin is an hour before that in UTC
    framed = wb.from_frame(frame, user="user_id", event="event_type", time="occurred_at", settings=settings)
    query = "SELECT occurred_at FROM events ORDER BY 1"
    assert framed.snapshot.query(query).to_pylist() == bench.snapshot.query(query).to_pylist()
