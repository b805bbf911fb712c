from __future__ import annotations

import json

from workbench.ingest.summary import KnownFile, Summary

WHOLE = Summary(
    files=2, read=1_500, accepted=1_480, duplicates=15, rejected={"bad_time": 5}, seconds=0.5, skipped=("x",)
)


def test_a_summary_reads_as_sentences():
    assert WHOLE.reading().splitlines() == [
        "Read 1,500 rows of 2 files in 0.5 s (3,000 a second): 1,480 new events, 15 repeated.",
        "5 rows are no events (bad_time 5) and were set aside: see `workbench rejects list`.",
        "1 file had been ingested before, nothing of it was read again.",
    ]
    assert Summary(files=0, read=0, accepted=0, duplicates=0).reading() == "There was nothing to do."


def test_a_summary_is_json_and_a_table():
    assert json.loads(json.dumps(WHOLE.to_dict()))["rows_per_second"] == 3_000
    assert "<td>1,480</td>" in WHOLE._repr_html_()
    assert Summary(files=0, read=0, accepted=0, duplicates=0).rows_per_second == 0


def test_conflicts_are_told_apart_from_what_is_no_event():
    summary = Summary(files=1, read=9, accepted=5, duplicates=0, rejected={"bad_json": 1, "conflicting_id": 3})
    text = summary.reading()
    assert "1 row is no event (bad_json 1)" in text
    assert "3 events have ids of other events, but differ in type, user or time (conflicting_id 3)" in text


def test_a_new_file_that_is_mostly_known_is_named():
    known = KnownFile("export.csv", 9_812, 10_000)
    summary = Summary(files=1, read=10_000, accepted=188, duplicates=9_812, mostly_known=(known,))
    assert "9,812 of 10,000 events were there already: export.csv is new" in summary.reading()
    assert summary.to_dict()["mostly_known"] == [{"name": "export.csv", "known": 9_812, "events": 10_000}]
