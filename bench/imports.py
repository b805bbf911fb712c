"""How long `import workbench` takes, beside an interpreter that imports nothing, and beside pandas."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

LIMIT_SECONDS = 1.0
ROUNDS = 7


def main(_: list[str]) -> int:
    """Print the medians; 1 if the import is above its limit."""
    medians = {}
    for code in ("pass", "import workbench", "import workbench as wb; wb.open", "import pandas"):
        medians[code] = statistics.median(_seconds(code) for _ in range(ROUNDS))
        print(f"{code:34s} {medians[code]:6.3f} s")
    cost = medians["import workbench"] - medians["pass"]
    print(f"import workbench: {cost:.3f} s above an empty interpreter (limit {LIMIT_SECONDS} s)")
    return int(cost > LIMIT_SECONDS)


def _seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start
