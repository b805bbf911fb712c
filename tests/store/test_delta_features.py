"""A table that requires what is not known here is refused by the name of the feature."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from deltalake import DeltaTable, TableFeatures

from tests.store import foreign
from workbench.errors import StoreError
from workbench.events import to_table
from workbench.store.lake import LakeStore
from workbench.testing import events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def put(lake, journeys, *, source="file"):
    table, start = to_table(events_of(journeys)), lake.position(source)
    events = table.append_column("position", pa.array(range(start, start + table.num_rows), pa.int64()))
    return lake.append(events, source=source, start=start, end=start + table.num_rows, ingested_at=NOON)


@pytest.fixture
def lake(tmp_path):
    made = LakeStore(tmp_path / "lake")
    put(made, {"ann": "view:0 buy:9"})
    return made


def ask(path):
    return LakeStore(path).snapshot().query("SELECT * FROM events").num_rows


@pytest.mark.parametrize(
    "feature",
    ["columnMapping", "timestampNtz", "v2Checkpoint", "typeWidening", "typeWidening-preview",
     "vacuumProtocolCheck", "catalogManaged", "collations-preview", "somethingNew"],
)  # fmt: skip
@pytest.mark.parametrize("beside", [(), ("deletionVectors",)])
def test_an_unknown_reader_feature_is_refused_by_name(lake, feature, beside):
    foreign.commit(lake.root, *foreign.upgraded(lake.root, *beside, feature))
    for use in (ask, lambda path: LakeStore(path).maintain(), lambda path: LakeStore(path).position("file")):
        with pytest.raises(StoreError, match=feature) as error:
            use(lake.path)
        assert "DROP FEATURE" in str(error.value)
    with pytest.raises(StoreError, match=feature):
        lake.snapshot()  # by a process that has it open


def test_column_mapping_of_the_old_protocol_is_refused(lake):
    mapped = {"delta.columnMapping.mode": "name"}
    foreign.commit(lake.root, *foreign.upgraded(lake.root, reader=2, writer=5, configuration=mapped))
    with pytest.raises(StoreError, match="columnMapping"):
        ask(lake.path)


def test_an_upgrade_of_the_protocol_alone_changes_nothing(lake):
    foreign.commit(lake.root, *foreign.upgraded(lake.root, reader=2, writer=5))
    assert ask(lake.path) == 2
    put(LakeStore(lake.path), {"bob": "view:1"}, source="more")
    assert ask(lake.path) == 3


@pytest.mark.parametrize(
    "feature", ["rowTracking", "changeDataFeed", "checkConstraints", "identityColumns", "newThing"]
)
def test_writing_is_refused_for_an_unknown_writer_feature_and_reading_is_not(lake, feature):
    protocol, metadata = foreign.upgraded(lake.root)
    protocol["protocol"]["writerFeatures"] = ["appendOnly", "invariants", feature]
    foreign.commit(lake.root, protocol, metadata)
    assert ask(lake.path) == 2
    opened = LakeStore(lake.path)
    for write in (lambda: put(opened, {"bob": "view:1"}, source="more"), opened.maintain):
        with pytest.raises(StoreError, match=feature):
            write()
    assert ask(lake.path) == 2


@pytest.mark.parametrize(
    ("configuration", "feature"),
    [
        ({"delta.enableChangeDataFeed": "true"}, "changeDataFeed"),
        ({"delta.constraints.positive": "value > 0"}, "checkConstraints"),
        ({"delta.appendOnly": "true"}, "appendOnly"),
    ],
)
def test_a_table_that_asks_more_of_its_writers_is_left_alone(lake, configuration, feature):
    foreign.commit(lake.root, *foreign.upgraded(lake.root, reader=1, writer=4, configuration=configuration))
    assert ask(lake.path) == 2
    with pytest.raises(StoreError, match=feature):
        LakeStore(lake.path).maintain()


def test_versions_of_the_protocol_that_are_not_known_are_refused(lake):
    foreign.commit(lake.root, *foreign.upgraded(lake.root, reader=2, writer=6))
    assert ask(lake.path) == 2
    with pytest.raises(StoreError, match="identityColumns"):
        put(LakeStore(lake.path), {"bob": "view:1"}, source="more")
    foreign.commit(lake.root, *foreign.upgraded(lake.root, reader=4, writer=8))
    with pytest.raises(StoreError, match="4"):
        ask(lake.path)


def test_a_feature_that_no_column_uses_is_no_hindrance(lake):
    foreign.commit(lake.root, *foreign.upgraded(lake.root, "deletionVectors", "variantType"))
    assert ask(lake.path) == 2
    put(LakeStore(lake.path), {"bob": "view:1"}, source="more")
    LakeStore(lake.path).maintain()
    assert ask(lake.path) == 3
    protocol, metadata = foreign.upgraded(lake.root, "deletionVectors", "variantType")
    schema = json.loads(metadata["metaData"]["schemaString"])
    schema["fields"].append({"name": "anything", "type": "variant", "nullable": True, "metadata": {}})
    metadata["metaData"]["schemaString"] = json.dumps(schema)
    foreign.commit(lake.root, protocol, metadata)
    with pytest.raises(StoreError, match="variantType"):
        ask(lake.path)


def test_what_deltalake_itself_deletes_and_rewrites_stays_so(lake):
    table = DeltaTable(lake.root)
    table.alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    table.alter.set_table_properties({"delta.enableDeletionVectors": "true"})
    table.delete("event_type = 'view'")
    assert ask(lake.path) == 1
    opened = LakeStore(lake.path)
    opened.maintain(full=True)
    assert (ask(lake.path), opened.files_without_checksum()) == (1, [])


def test_known_features_are_written_beside(lake):
    protocol, metadata = foreign.upgraded(lake.root, "deletionVectors")
    protocol["protocol"]["writerFeatures"] += ["appendOnly", "invariants"]
    foreign.commit(lake.root, protocol, metadata)
    put(LakeStore(lake.path), {"bob": "view:1"}, source="more")
    LakeStore(lake.path).maintain()
    assert ask(lake.path) == 3
