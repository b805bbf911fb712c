import numpy as np
import pyarrow as pa
import pytest

from workbench.simulate.columns import Json, Rows, hex_ids, numbered, objects, raid_ids, table


def test_ids_never_collide_and_do_not_count_up():
    ids = hex_ids(np.arange(200_000), salt=5).to_pylist()
    assert len(set(ids)) == len(ids)
    assert ids != sorted(ids)
    assert all(len(name) == 16 for name in ids[:100])


def test_no_number_is_no_id():
    assert hex_ids(np.array([-1.0, 3.0]), salt=1).null_count == 1
    assert raid_ids(np.array([-1, 12])).to_pylist() == [None, "r000012"]


def test_numbers_grow_beyond_their_zeros():
    assert numbered("u", np.array([3, 1234]), digits=3).to_pylist() == ["u003", "u1234"]


def test_json_holds_text_numbers_truth_and_lists():
    row = objects(
        word=pa.array(["ñ"]),
        number=np.array([1.5]),
        won=np.array([True]),
        list=Json(pa.array(["[1]"])),
        none=pa.array([None], pa.string()),
    )
    assert row.to_pylist() == ['{"word":"ñ","number":1.5,"won":true,"list":[1]}']


@pytest.mark.parametrize(("keep", "seen"), [(None, ["b", "a"]), (np.array([True, False]), ["a"])])
def test_a_table_is_in_the_order_of_time_and_holds_what_is_kept(keep, seen):
    nothing = pa.array(["{}"])
    late, early = (
        Rows(name, np.array([0]), np.array([at]), np.array([0]), nothing) for name, at in (("a", 9), ("b", 2))
    )
    events = table([late, early], user_ids=pa.array(["ann"]), salt=1, first=0, keep=keep)
    assert events["event_type"].to_pylist() == seen
    assert set(events["user_id"].to_pylist()) == {"ann"}
    assert events["raid_id"].null_count == events["value"].null_count == len(seen)
