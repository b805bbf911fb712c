from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

import workbench as wb
from workbench.errors import StoreCorrupt


@pytest.mark.parametrize("definition", ["{", "[]", "1", "{}", '{"event": 5}', "[" * 100_000])
def test_a_damaged_segment_is_named_and_the_others_are_read(tmp_path, definition):
    bench = wb.open(tmp_path / "lake", create=True)
    for name in ("buyers", "others"):
        bench.save_segment(name, wb.segment("purchase"))
    with closing(sqlite3.connect(bench.place.control)) as connection, connection:
        connection.execute("UPDATE segments SET definition = ? WHERE name = 'buyers'", (definition,))
    assert bench.segment("others") == wb.segment("purchase")
    for ask in (lambda: bench.segment("buyers"), lambda: bench.of("buyers"), bench.segments):
        with pytest.raises(StoreCorrupt, match=r"the segment 'buyers' .* is damaged .* save it again"):
            ask()
