from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from workbench.results import Answer, Definition, plain


@dataclass(frozen=True, kw_only=True)
class HowMany(Definition):
    question: ClassVar[str] = "how_many"
    events: tuple[str, ...]
    within: timedelta
    since: datetime | None = None


ASKED = HowMany(events=("view", "<b>"), within=timedelta(hours=1))
FRAME = pd.DataFrame({"day": [date(2026, 1, 5)], "n": [np.int64(3)], "rate": [float("nan")], "name": ["<script>"]})
ANSWER = Answer(frame=FRAME, sql="SELECT 1", definition=ASKED, data_version="7")


def test_a_definition_can_be_hashed_compared_and_written_down():
    same = HowMany(events=("view", "<b>"), within=timedelta(minutes=60))
    assert ({ASKED} == {same}, ASKED.fingerprint == same.fingerprint) == (True, True)
    assert ASKED.fingerprint != HowMany(events=("view",), within=timedelta(hours=1)).fingerprint
    assert ASKED.to_dict() == {
        "question": "how_many", "people": None, "events": ["view", "<b>"], "within": 3600.0, "since": None
    }  # fmt: skip


def test_a_definition_is_described_by_what_is_set():
    since = datetime(2026, 1, 5, tzinfo=UTC)
    described = HowMany(events=("view", "buy"), within=timedelta(days=7), since=since).described()
    assert described["events"] == "view, buy"
    assert described["within"] == "7 d"
    assert described["since"] == "2026-01-05 00:00 UTC"
    assert "since" not in ASKED.described()


def test_an_answer_becomes_json():
    told = json.loads(json.dumps(ANSWER.to_dict(), allow_nan=False))
    assert told["rows"] == [{"day": "2026-01-05", "n": 3, "rate": None, "name": "<script>"}]
    assert told["data_version"] == "7"


def test_what_came_from_the_data_is_text_in_html():
    shown = ANSWER._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "&lt;b&gt;" in shown


@pytest.mark.parametrize("value", [float("nan"), float("inf"), pd.NaT, None, np.float64("nan")])
def test_what_is_missing_is_null(value):
    assert plain(value) is None


def test_durations_and_instants_are_written_as_people_read_them():
    frame = pd.DataFrame({"mean_seconds": [90_061.5, None], "at": pd.to_datetime(["2026-01-05T10:20:30.123Z", None])})
    shown = dataclasses.replace(ANSWER, frame=frame)._repr_html_()
    assert "1 d 1 h" in shown
    assert "2026-01-05 10:20<" in shown
    assert "NaT" not in shown


def test_a_long_frame_is_shown_from_both_ends_and_says_how_long_it_is():
    shown = dataclasses.replace(ANSWER, frame=pd.DataFrame({"n": range(12_345)}))._repr_html_()
    assert "12,345 rows" in shown
    assert (shown.count("<tr") < 50, ">0<" in shown, ">12344<" in shown) == (True, True, True)
