"""The words of both databases, side by side: a fragment means the same in each."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.metrics.words import words
from workbench.store import clickhouse_client, duck

DUCK, HOUSE = words("duckdb"), words("clickhouse")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {"properties": "VARCHAR", "text": "VARCHAR", "number": "DOUBLE", "time": "TIMESTAMPTZ"}

texts = st.text(st.characters(codec="utf-8"), max_size=8)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.sampled_from(["[1.0]", "{", "2.0", "1_0", " 5", "\u2028", '"', "null", "true"])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@pytest.fixture(scope="module")
def asked():
    """Ask both databases for an expression of each, and give both answers."""
    where = clickhouse_client.address("chdb://:memory:")
    house, own = clickhouse_client.connect(where, clickhouse_client.READ), duck.connect()

    def ask(duck_sql, house_sql, params, *, key=""):
        named = {name: f"${name}::{TYPES[name]}" for name in params if name in TYPES}
        inner = ", ".join(f"{sql} AS {name}" for name, sql in named.items()) or "1 AS one"
        answers = []
        for sql, select in (
            (duck_sql, lambda sql, bound: duck.select(own, sql, bound)),
            (house_sql, lambda sql, bound: clickhouse_client.select(house, where, sql, bound)),
        ):
            bound = dict(params)
            if "key" in params:
                bound["key"] = (DUCK if sql is duck_sql else HOUSE).key_of(key)
            source = (
                inner
                if sql is duck_sql
                else inner.replace("::VARCHAR", "::Nullable(String)")
                .replace("::DOUBLE", "::Nullable(Float64)")
                .replace("::TIMESTAMPTZ", "::DateTime64(6, 'UTC')")
            )
            answers.append(select(f"SELECT {sql} AS answer FROM (SELECT {source}) AS row", bound)["answer"][0].as_py())
        return answers

    yield ask
    house.close()


def same(one, other):
    return one == other or (isinstance(one, float) and isinstance(other, float) and math.isnan(one + other))


@given(value=values, name=texts.filter(bool), others=st.dictionaries(texts, scalars, max_size=2))
@example(value=1.0, name="it's", others={})
@example(value="a.0", name="a.b/c~d~1", others={"a": {"b": 1}})
@example(value=[1.0, {"a": 2.0, "b": "3.0, 4.0]"}, "\\", 'x"1.0,'], name="$.p", others={})
@example(value="top", name="in", others={"a": {"in": "deep"}})
@example(value=-0.0, name="$", others={})
@example(value=12345678901234567890123, name="0", others={})
@example(value="\0", name="*", others={"x": 1})
def test_a_property_is_the_same_text(asked, value, name, others):
    properties = json.dumps({**others, name: value}, ensure_ascii=len(name) % 2 == 0)
    duck_says, house_says = asked(
        DUCK.property("$key"), HOUSE.property("$key"), {"properties": properties, "key": None}, key=name
    )
    assert duck_says == house_says
    if isinstance(value, str):
        assert duck_says == value
    if value is None or isinstance(value, bool):
        assert duck_says == (None if value is None else str(value).lower())


@pytest.mark.parametrize("properties", ["{}", None, '{"q": {"p": 1}}', '{"p": null}'])
def test_a_property_that_is_not_there_is_null(asked, properties):
    both = asked(DUCK.property("$key"), HOUSE.property("$key"), {"properties": properties, "key": None}, key="p")
    assert both == [None, None]


@given(st.text("0123456789+-.eE_ \t,xnaifINF'\v\n٣", max_size=6) | st.floats().map(str) | texts)
@example("+-1")
@example("1e400")
@example("5\n")
def test_text_is_read_as_the_same_number(asked, text):
    assert same(*asked(DUCK.number("text"), HOUSE.number("text"), {"text": text}))


@given(st.floats() | st.integers(-(2**60), 2**60).map(float))
@example(-0.0)
@example(1e16)
def test_a_number_is_written_the_same(asked, number):
    one, other = asked(DUCK.text("number"), HOUSE.text("number"), {"number": number})
    assert one == other
    assert same(float(one), number)


@given(st.none() | texts, st.lists(texts, max_size=4))
def test_a_place_in_a_list_is_counted_from_one(asked, text, among):
    params = {"text": text, "among": among}
    expected = among.index(text) + 1 if text in among else 0
    assert asked(DUCK.place("text", "$among"), HOUSE.place("text", "$among"), params) == [expected] * 2
    assert [*map(bool, asked(DUCK.one_of("text", "$among"), HOUSE.one_of("text", "$among"), params))] == [
        expected > 0
    ] * 2


@given(st.none() | texts, st.dictionaries(texts, st.integers(1, 2**20), min_size=1, max_size=4))
@example("a", {"a": 3, "": 4})
def test_a_value_has_its_number(asked, text, numbers):
    names = {f"name_{place}": name for place, name in enumerate(numbers)}
    known = dict(zip((f"${name}" for name in names), numbers.values(), strict=True))
    sql = [own.number_of("text", known) for own in (DUCK, HOUSE)]
    assert asked(*sql, {"text": text, **names}) == [numbers.get(text, 0)] * 2


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_a_time_is_counted_in_microseconds(asked, time):
    expected = (time - EPOCH) // timedelta(microseconds=1)
    assert asked(DUCK.micros("time"), HOUSE.micros("time"), {"time": time}) == [expected] * 2


@pytest.mark.parametrize("width", ["byte", "short", "long"])
def test_a_number_can_be_made_to_travel_light(asked, width):
    sql = [getattr(own, width)("CASE WHEN text IS NULL THEN -1 ELSE 7 END") for own in (DUCK, HOUSE)]
    assert asked(*sql, {"text": "x"}) == [7, 7]
    assert asked(*sql, {"text": None}) == [-1, -1]


def test_pairs_are_equal_only_for_equal_values(asked):
    def pairs(one, other):
        return asked(DUCK.pair("$one", "$other"), HOUSE.pair("$one", "$other"), {"one": one, "other": other})

    assert pairs(1, "a") == pairs(1, "a")
    for one, other in ((2, "a"), (1, "b")):
        assert all(mine != theirs for mine, theirs in zip(pairs(1, "a"), pairs(one, other), strict=True))
