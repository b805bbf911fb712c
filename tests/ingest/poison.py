"""Kinds of messages that are no events, each with the reason why."""

from __future__ import annotations

import json

from workbench.events import MAX_MESSAGE, MAX_NAME

GOOD = {"event_id": "p", "event_type": "view", "user_id": "ann", "occurred_at": "2026-11-01T09:00:00Z"}


def changed(**fields):
    return json.dumps({**GOOD, **fields}).encode()


def without(name):
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


WHOLE = changed()
POISON = [
    ("nothing at all", None, "bad_json"),
    ("an empty message", b"", "bad_json"),
    ("blanks", b"  \n ", "bad_json"),
    ("words", b"hello", "bad_json"),
    ("zeros", b"\x00" * 16, "bad_json"),
    ("a number", b"42", "bad_json"),
    ("a list", b"[1, 2]", "bad_json"),
    ("null", b"null", "bad_json"),
    ("text", b'"view"', "bad_json"),
    ("cut off", WHOLE[:-1], "bad_json"),
    ("cut off in a name", WHOLE[:20], "bad_json"),
    ("two objects", WHOLE + WHOLE, "bad_json"),
    ("two lines", WHOLE + b"\n" + WHOLE, "bad_json"),
    ("a comma too many", WHOLE[:-1] + b",}", "bad_json"),
    ("single quotes", WHOLE.replace(b'"', b"'"), "bad_json"),
    ("a line break in text", changed().replace(b"ann", b"an\nn"), "bad_json"),
    ("deep nesting", b'{"a":' * 3000 + b"1" + b"}" * 3000, "bad_json"),
    ("not a number", changed(value=1.5).replace(b"1.5", b"NaN"), "bad_json"),
    ("latin-1", changed().replace(b"ann", b"\xe9mile"), "bad_encoding"),
    ("UTF-16", WHOLE.decode().encode("utf-16"), "bad_encoding"),
    ("half a character", changed().replace(b"ann", b"\xe6\x97"), "bad_encoding"),
    ("too long", changed(properties={"text": "x" * MAX_MESSAGE}), "too_large"),
    ("no event_id", without("event_id"), "missing_field"),
    ("no event_type", without("event_type"), "missing_field"),
    ("no user_id", without("user_id"), "missing_field"),
    ("no time", without("occurred_at"), "missing_field"),
    ("an empty user_id", changed(user_id=""), "missing_field"),
    ("a null event_type", changed(event_type=None), "missing_field"),
    ("a number for a user_id", changed(user_id=7), "wrong_type"),
    ("a very long user_id", changed(user_id="u" * (MAX_NAME + 1)), "wrong_type"),
    ("text for a value", changed(value="much"), "wrong_type"),
    ("a list for properties", changed(properties=[1]), "wrong_type"),
    ("words for a time", changed(occurred_at="yesterday"), "bad_time"),
    ("a time before 1970", changed(occurred_at="1815-12-10T00:00:00Z"), "bad_time"),
    ("a time far ahead", changed(occurred_at="2190-01-01T00:00:00Z"), "bad_time"),
    ("a newer schema", changed(schema_version=9), "newer_schema"),
]
"""Name, message, reason."""
