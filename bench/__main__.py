"""Run one bench, or all: `python -m bench [NAME] [options]`, NAME one of `BENCHES`."""

from __future__ import annotations

import sys
from importlib import import_module

BENCHES = (
    "imports",
    "ingest",
    "run",
    "kills",
    "integrity",
    "chaos",
    "questions",
    "stream",
    "live",
    "cluster",
    "features",
    "models",
    "outlook",
    "dashboards",
    "schedule",
    "house",
)


def main() -> int:
    """Run what was named, or everything; return 1 if a figure is missed."""
    names = sys.argv[1:2] or list(BENCHES)
    if names[0] not in BENCHES:
        print(f"no bench {names[0]!r}; there are {', '.join(BENCHES)}")
        return 2
    failed = 0
    for name in names:
        print(f"── {name}", flush=True)
        failed |= import_module(f"bench.{name}").main(sys.argv[2:])
    return failed


if __name__ == "__main__":
    sys.exit(main())
