"""How long `workbench run` takes on about a million events, and when nothing has changed.

The yardstick is what the tools cost without any question: starting five kernels, one after the other, on a
notebook of one empty cell, through Papermill.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_SECONDS = 60
NO_OP_LIMIT_SECONDS = 10
ROOT = Path(__file__).parents[1]
_FIVE_KERNELS = """
import nbformat, papermill
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])
book.metadata["kernelspec"] = {"name": "python3", "language": "python", "display_name": "Python 3"}
nbformat.write(book, "empty.ipynb")
for _ in range(5):
    papermill.execute_notebook("empty.ipynb", None, progress_bar=False)
"""


def main(arguments: list[str]) -> int:
    """Print three rows; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench run", description=__doc__)
    parser.add_argument("--users", type=int, default=9_000, help="about 110 events each in 120 days")
    wanted = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="workbench-run-"))
    try:
        for name in ("notebooks", "pipeline.yaml", "env.yaml"):
            source = ROOT / name
            shutil.copytree(source, folder / name) if source.is_dir() else shutil.copy(source, folder / name)
        export = folder / "export.parquet"
        _timed(folder, "-m", "workbench", "simulate", "--users", str(wanted.users), "--out", str(export))
        bare = _timed(folder, "-c", _FIVE_KERNELS)
        first = _timed(folder, "-m", "workbench", "run", "--source", str(export))
        again = _timed(folder, "-m", "workbench", "run", "--source", str(export))
    finally:
        shutil.rmtree(folder)
    print(f"five empty notebooks  {bare:6.1f} s   1.0x")
    print(f"workbench run         {first:6.1f} s  {first / bare:4.1f}x  (limit {LIMIT_SECONDS} s)")
    print(f"nothing changed       {again:6.1f} s  {again / bare:4.1f}x  (limit {NO_OP_LIMIT_SECONDS} s)")
    return int(first > LIMIT_SECONDS or again > NO_OP_LIMIT_SECONDS)


def _timed(folder: Path, *arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
