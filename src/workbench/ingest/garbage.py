"""Python's search for cycles, made rare while messages stream: they hold none, and it looks at each of them."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

RARE: Final = (100_000, 20, 100)
"""How many objects are made before the youngest are searched, and how many searches before older ones are."""


@contextmanager
def searched_rarely() -> Iterator[None]:
    """Search this process for garbage less often than Python does, until the block ends.

    Clients make some objects a message, so that Python by itself spends a fifth of the time with searching. What there
    is at the start, modules above all, is left out of all searches.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*RARE)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
