from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from workbench.errors import InvalidMapping
from workbench.events import REASONS
from workbench.ingest import mappings

LEAST = {"fields": {"event_type": "what", "user_id": "who", "occurred_at": "when"}}


def mapping(tmp_path, **keys):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(LEAST | keys), encoding="utf-8")
    return mappings.load(path)


def test_every_mapping_of_ours_loads():
    for name in mappings.names():
        loaded = mappings.load(name)
        assert (loaded.name, bool(loaded.about)) == (name, True)


def test_a_mapping_without_ids_hashes_rows_and_one_with_them_does_not_unless_told(tmp_path):
    fields = LEAST["fields"] | {"event_id": "id"}
    assert mapping(tmp_path).hashes
    assert not mapping(tmp_path, fields=fields).hashes
    assert mapping(tmp_path, fields=fields, without_id="hash").hashes


def test_the_fingerprint_is_of_what_a_mapping_does_not_of_its_words(tmp_path):
    plain = mapping(tmp_path)
    assert mapping(tmp_path, about="Ours").fingerprint == plain.fingerprint
    assert mapping(tmp_path, time="s").fingerprint != plain.fingerprint


def test_a_constant_that_yaml_took_for_a_number_is_a_name(tmp_path):
    assert mapping(tmp_path, constants={"platform": 4, "value": 4}).constants == {"platform": "4", "value": 4}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"feilds": {}}, "no key 'feilds': there are fields, about"),
        ({"fields": {"colour": "x"}}, "no field 'colour': there are event_id, event_type"),
        ({"fields": {"event_type": "x", "user_id": "y"}}, "occurred_at is missing"),
        ({"fields": {"event_type": 5, "user_id": "y", "occurred_at": "z"}}, r"Expected `str \| array`, got `int`"),
        ({"fields": {**LEAST["fields"], "platform": ""}}, "an empty path"),
        ({"time": "hours"}, "Invalid enum value 'hours'"),
        ({"without_id": "reject"}, "event_id is missing"),
        ({"constants": {"occurred_at": "2026"}}, "no field that can have one 'occurred_at'"),
        ({"constants": {"value": "much"}}, "value is 'much', it must be a number"),
        ({"properties": 5}, "Expected `str"),
    ],
)
def test_a_fault_names_the_key_and_what_is_allowed(tmp_path, keys, message):
    with pytest.raises(InvalidMapping, match=message):
        mapping(tmp_path, **keys)


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b", "a: [", "!!python/object/apply:os.system [ls]"])
def test_what_is_no_mapping_at_all_is_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidMapping, match=r"mine\.yaml"):
        mappings.load(path)


def test_a_mapping_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(InvalidMapping, match=r"no mapping 'mixpanle': there are amplitude, mixpanel, native"):
        mappings.load("mixpanle")


def test_the_example_in_the_documentation_loads_and_every_key_is_explained(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "ingest.md").read_text(encoding="utf-8")
    path = tmp_path / "shop.yaml"
    path.write_text(text.partition("```yaml")[2].partition("```")[0], encoding="utf-8")
    assert mappings.load(path).event_types == {"order_paid": "purchase"}
    for word in (*mappings.names(), *REASONS, *(key for key in mappings.Mapping.__struct_fields__ if key != "name")):
        assert f"`{word}`" in text
