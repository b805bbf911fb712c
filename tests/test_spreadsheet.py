from __future__ import annotations

import csv
import io
import re
from types import SimpleNamespace as Stub

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.dashboards.board import Board
from workbench.dashboards.explore_page import ExplorePage
from workbench.spreadsheet import harmless, text_of

STARTS = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*([eE][+-]?\d+)?%?")


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "=cmd|'/C calc'!A0", "+1+cmd|' /C calc'!A0", "-1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1,1)", "\t=1",
        "\r=1", "\n=1", " =1", "\u00a0=1", '"=1', "a;=1", "a,=1", "a\t=1", "a\r\n=1", "a|=1", "'=1", 'x"=1',
        "\uff1d1+1", "--1", "-", "+a", "-5;=1", "1;-2+3", "+49 170 1234567",
    ],
)  # fmt: skip
def test_a_formula_is_text_wherever_it_would_begin(text):
    safe = harmless(text)
    assert safe != text
    assert safe.replace("'", "") == text.replace("'", "")
    for cell in re.split(r"[,;|\t\r\n\"]", safe):
        assert not cell.strip() or cell.strip()[0] not in STARTS or NUMBER.fullmatch(cell.strip())


@pytest.mark.parametrize(
    "text", ["buy", "a=b", "x-y", "ann@example.com", "-5", "+3.5", "-1e-5", "-12%", "a, -5", "", "it's"]
)
def test_what_is_no_formula_stays_as_it_is(text):
    assert harmless(text) == text


@given(st.text(st.sampled_from("=+-@\t\r\n ,;|\"'a1.\uff1d"), max_size=12), st.sampled_from(",;\t|"))
def test_no_cell_begins_a_formula_by_any_separator_and_the_text_is_kept(text, separator):
    line = text_of(pd.DataFrame({"event": [text], "people": [1]}))
    [_, [cell, people]] = csv.reader(io.StringIO(line, newline=""))
    assert (cell.replace("'", ""), people) == (re.sub("\r\n?", "\n", text.replace("'", "")), "1")
    for part in (cell, *cell.split(separator), *cell.split('"'), *cell.splitlines()):
        begin = part.strip()
        assert not begin or begin[0] not in STARTS or NUMBER.fullmatch(re.split(r"[,;|\t\r\n\"' ]", begin)[0])


def test_numbers_times_and_what_is_missing_stay_what_they_are():
    frame = pd.DataFrame(
        {
            "n": [-1, 2], "x": [-1.5, np.nan], "at": pd.to_datetime(["2026-01-01", None], utc=True),
            "ok": [True, False],
            "mixed": [-3, "=x"], "kind": pd.Categorical(["=a", "b"]), "path": [["=a", "b"], ["c", "d"]],
            "none": [None, None],
            "span": pd.to_timedelta([-1, 2], unit="D"),
        }
    )  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(text_of(frame))))
    assert rows[0] == {
        "n": "-1", "x": "-1.5", "at": "2026-01-01 00:00:00+00:00", "ok": "True", "mixed": "-3", "kind": "'=a",
        "path": "[''=a', 'b']", "none": "", "span": "-1 days",
    }  # fmt: skip
    assert (rows[1]["mixed"], rows[1]["x"], rows[1]["at"]) == ("'=x", "", "")


def test_a_heading_is_text_too():
    assert text_of(pd.DataFrame([[1, 2]], columns=["=1+1", "@x"])).splitlines()[0] == "'=1+1,'@x"


def test_two_columns_of_one_name_stay_two():
    assert text_of(pd.DataFrame([["=a", "=b"]], columns=["x", "x"])).splitlines() == ["x,x", "'=a,'=b"]


def test_what_the_dashboards_hand_out_holds_no_formulas():
    answer = Stub(frame=pd.DataFrame({"event": ["=cmd|'/C calc'!A0"], "people": [-1]}))
    explored = ExplorePage.csv(Stub(explorers={"journeys": Stub(answer=answer)}), "journeys")
    tile = Stub(name="funnel")
    drawn = Board.csv(
        Stub(page=Stub(tiles=[tile]), chosen=None, answers=Stub(known=lambda *_: Stub(content=answer))), "funnel"
    )
    assert explored == drawn == "event,people\n'=cmd|'/C calc'!A0,-1\n"
