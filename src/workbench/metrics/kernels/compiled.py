"""How kernels are compiled: without Python's lock, and kept on disk for the next process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def compiled(kernel: Kernel) -> Kernel:
    """Compile a function of NumPy arrays and numbers when it is first called."""
    return cast("Kernel", numba.njit(cache=True, nogil=True)(kernel))
