from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.ingest.identity import Identities, replayed_id


def ids(rows, *, step):
    identities = Identities()
    return [row_id for start in range(0, len(rows), step) for row_id in identities.ids(rows[start : start + step])]


rows = st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=30)


@given(rows, st.integers(1, 9))
def test_an_id_is_the_row_and_its_number_among_identical_rows_however_the_file_is_cut(rows, step):
    seen = Counter()
    expected = []
    for row in rows:
        expected.append(replayed_id(row, seen[row]))
        seen[row] += 1
    assert ids(rows, step=step) == expected
    assert len(set(expected)) == len(rows)


def test_a_row_costs_eight_bytes_of_memory():
    identities = Identities()
    for start in range(0, 50_000, 1_000):
        identities.ids([b"%d" % number for number in range(start, start + 1_000)])
    assert sum(run.nbytes for run in identities._runs) == 50_000 * 8
    assert len(identities._runs) < np.log2(50_000)
