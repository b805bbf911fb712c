from __future__ import annotations

import json

from workbench.ingest.summary import Summary

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
