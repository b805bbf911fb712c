from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from workbench.events import Event
from workbench.ingest import mappings
from workbench.ingest.mappings import Mapping
from workbench.ingest.rows import dig, instant, number, reader, unique_id

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIELDS = {"event_id": "id", "event_type": "what", "user_id": "who", "occurred_at": "when"}

MIXPANEL = {
    "event": "Signed Up",
    "properties": {"time": 1_602_611_311, "distinct_id": "ann", "$insert_id": "m1", "mp_lib": "web", "$city": "Berlin"},
}
AMPLITUDE = {
    "uuid": "a1",
    "$insert_id": "other",
    "event_type": "Signed Up",
    "event_time": "2020-10-13 17:48:31.000000",
    "user_id": None,
    "device_id": "d7",
    "amplitude_id": 12,
    "session_id": 1_602_611_300_000,
    "platform": "iOS",
    "event_properties": {"plan": "pro", "$revenue": 9.5},
    "user_properties": {"age": 30},
}
POSTHOG = {
    "uuid": "p1",
    "event": "Signed Up",
    "distinct_id": "ann",
    "timestamp": "2020-10-13T17:48:31.000000+00:00",
    "properties": '{"$lib": "web", "$session_id": "s1", "plan": "pro"}',
}
SEGMENT = {
    "messageId": "s1",
    "type": "track",
    "event": "Signed Up",
    "userId": "ann",
    "anonymousId": "x",
    "timestamp": "2020-10-13T17:48:31.000Z",
    "properties": {"plan": "pro", "revenue": 9.5},
    "context": {"device": {"type": "ios"}},
}


def read(row, mapping):
    loaded = mapping if isinstance(mapping, Mapping) else mappings.load(mapping)
    return reader(loaded, format="jsonl", now=NOW)(msgspec.json.encode(row))


def mapped(row, **keys):
    found = read(row, Mapping(**{"fields": FIELDS, **keys}))
    return found, msgspec.json.decode(found.properties) if isinstance(found, Event) else None


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("mixpanel", MIXPANEL, (unique_id(["Signed Up", "ann", 1602611311, "m1"]), "ann", "web", None, None)),
        ("amplitude", AMPLITUDE, ("a1", "d7", "iOS", "1602611300000", 9.5)),
        ("posthog", POSTHOG, ("p1", "ann", "web", "s1", None)),
        ("segment", SEGMENT, ("s1", "ann", "ios", None, 9.5)),
    ],
)
def test_the_exports_of_others_are_read(name, row, expected):
    event = read(row, name)
    assert (event.event_id, event.user_id, event.platform, event.session_id, event.value) == expected
    assert event.event_type == "Signed Up"
    assert event.occurred_at == datetime(2020, 10, 13, 17, 48, 31, tzinfo=UTC)


def test_what_others_know_of_an_event_becomes_its_properties():
    assert msgspec.json.decode(read(MIXPANEL, "mixpanel").properties)["$city"] == "Berlin"
    amplitude = msgspec.json.decode(read(AMPLITUDE, "amplitude").properties)
    assert amplitude == {"plan": "pro", "$revenue": 9.5, "user_properties": {"age": 30}, "device_id": "d7"}
    segment = msgspec.json.decode(read(SEGMENT, "segment").properties)
    assert segment["context"] == {"device": {"type": "ios"}}


def test_a_segment_page_is_an_event_of_that_name():
    page = {**SEGMENT, "type": "page", "name": "Home"}
    del page["event"]
    assert read(page, "segment").event_type == "page"


ROW = {"id": 1, "what": "view", "who": 7, "when": "2026-11-01 09:00:00", "colour": "red", "deep": {"a": {"b": "x"}}}


def test_the_rest_is_every_column_that_feeds_no_field():
    assert mapped(ROW)[1] == {"colour": "red", "deep": {"a": {"b": "x"}}}
    assert mapped(ROW, ignore=["deep"])[1] == {"colour": "red"}


def test_properties_can_be_members_objects_and_the_rest():
    assert mapped(ROW, properties="deep")[1] == {"a": {"b": "x"}}
    assert mapped(ROW, properties=["deep.a.*", "colour"])[1] == {"b": "x", "colour": "red"}
    assert mapped(ROW, properties=["deep.a", "rest"])[1] == {
        "a": {"b": "x"},
        "colour": "red",
        "deep": {"a": {"b": "x"}},
    }
    assert mapped(ROW, properties=["nowhere.*", "nothing"])[1] == {}


def test_properties_that_are_no_object_are_rejected():
    assert mapped(ROW, properties="colour")[0].reason == "wrong_type"


def test_whole_numbers_are_names_and_fallbacks_are_tried_in_order():
    fields = {**FIELDS, "platform": ["nothing", "deep.a.b", "colour"]}
    event, _ = mapped(ROW, fields=fields)
    assert (event.event_id, event.user_id, event.platform) == ("1", "7", "x")


def test_a_column_with_a_dot_in_its_name_comes_before_the_member_of_an_object():
    fields = {**FIELDS, "platform": "deep.a"}
    assert mapped({**ROW, "deep.a": "literal"}, fields=fields)[0].platform == "literal"


def test_constants_stand_in_and_event_types_are_renamed():
    event, _ = mapped(ROW, constants={"platform": "web", "event_type": "never"}, event_types={"view": "message_sent"})
    assert (event.platform, event.event_type) == ("web", "message_sent")


def test_json_text_is_opened_where_a_path_leads_into_it():
    row = {"a": '{"b": {"c": 1}}', "broken": "{", "list": "[1]"}
    assert [dig(row, path) for path in ("a.b.c", "a.x.y", "broken.b", "list.b", "none.b")] == [
        1,
        None,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1_600_000_000, "s", 0),
        (1_600_000_000.25, "s", 250_000),
        ("1600000000.5", "s", 500_000),
        (1_600_000_000_001, "ms", 1_000),
        (1_600_000_000_000_001, "us", 1),
        (Decimal("1600000000.5"), "s", 500_000),
    ],
)
def test_times_come_in_several_units(value, unit, expected):
    found = instant(value, unit)
    assert (int(found.timestamp()), found.microsecond) == (1_600_000_000, expected)


@pytest.mark.parametrize("value", [True, 10**30, 1e300, float("nan"), "soon", "1e999", [1], None])
def test_what_is_no_time_is_left_for_the_schema_to_refuse(value):
    found = instant(value, "s")
    assert not isinstance(found, datetime)


def test_text_is_a_number_only_if_it_is_one():
    assert [number(text) for text in ("3.5", "-1e3", "1_000", " 1", "٣")] == [3.5, -1000.0, "1_000", 1.0, "٣"]
