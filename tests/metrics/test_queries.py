from __future__ import annotations

from importlib import resources

import pytest

from workbench.metrics import queries

FILES = sorted(file.name for file in resources.files("workbench.metrics").joinpath("sql").iterdir())


def test_parts_are_put_in_the_place_of_their_names():
    assert queries.filled("SELECT {one}, {other}, {one}", one="1", other="{two}") == "SELECT 1, {two}, 1"


def test_clickhouse_is_asked_in_its_own_words_where_it_has_some():
    assert "event_type IN $messages" in queries.text("message_volume", "clickhouse")
    assert "list_contains($messages, event_type)" in queries.text("message_volume", "duckdb")


def test_what_both_understand_is_written_once():
    assert "platform_distribution.clickhouse.sql" not in FILES
    assert queries.text("platform_distribution", "clickhouse") == queries.text("platform_distribution", "duckdb")


@pytest.mark.parametrize("name", FILES)
def test_every_file_says_what_goes_in_and_what_comes_out(name):
    text = resources.files("workbench.metrics").joinpath("sql", name).read_text(encoding="utf-8")
    assert text.startswith("-- ")
    assert "\n-- in : events" in text
    assert "\n-- out: one row per " in text
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("name", [name for name in FILES if ".clickhouse." in name])
def test_a_file_of_clickhouse_takes_what_that_of_duckdb_takes(name):
    one, other = (queries.text(name.split(".")[0], engine).split("-- out:")[0] for engine in ("duckdb", "clickhouse"))
    named = [{word.rstrip(",.") for word in text.split() if word.startswith("$")} for text in (one, other)]
    assert named[0] == named[1]
