"""What it costs to verify the files of a lake, and whether any flipped bit gets past.

Every question is asked in turn with and without verification, in one process: warm (all files verified before), and
cold (a store that was just opened, in a process that verified nothing; modules are loaded and the disk's cache is warm,
so this is the dearest case). Processor seconds of all threads are compared, by their medians: other programs on the
machine do not disturb them. Then bits are flipped, one at a time, anywhere in any file, and a question is asked as a
new process asks it: it has to be refused.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import workbench as wb
from bench.questions import NOW, STEPS, _lake
from workbench.errors import StoreCorrupt
from workbench.store import integrity
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WARM_LIMIT, COLD_LIMIT = 0.05, 0.25
"""Most time that verification may add to a question, as a share of the question without."""

QUESTIONS: dict[str, Callable[[wb.Workbench], object]] = {
    "weekly retention": lambda bench: bench.retention(now=NOW),
    "ordered funnel": lambda bench: bench.funnel(STEPS, now=NOW),
    "funnel by platform": lambda bench: bench.funnel(STEPS, by="platform", now=NOW),
    "daily active users": lambda bench: bench.active_users(now=NOW),
}


def main(arguments: list[str]) -> int:
    """Print a row for each question, and how many flips were refused; 1 if a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench integrity", description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1], help="sizes of the lake, in events")
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--flips", type=int, default=500)
    options = parser.parse_args(arguments)
    missed = 0
    for size in options.millions:
        lake = _lake(size)
        for name, ask in QUESTIONS.items():
            missed |= _cost(f"{size:3d} M  {name}", lake, ask, options.times)
    return missed | _flips(_lake(options.millions[0]), options.flips)


def _cost(name: str, lake: Path, ask: Callable[[wb.Workbench], object], times: int) -> int:
    bench = wb.open(lake)
    ask(bench)

    def warm() -> None:
        ask(bench)

    def cold() -> None:
        integrity.forget()
        ask(wb.open(lake))

    missed = 0
    for kind, call, limit in (("warm", warm, WARM_LIMIT), ("cold", cold, COLD_LIMIT)):
        pairs = [(_timed(call, verified=True), _timed(call, verified=False)) for _ in range(times)]
        with_, without = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
        share = with_ / without - 1
        verdict = "" if share <= limit else f"  MORE THAN {limit:.0%}"
        print(
            f"{name:28s} {kind}  {with_ * 1e3:7.1f} ms, without {without * 1e3:7.1f} ms  {share:+6.1%}{verdict}",
            flush=True,
        )
        missed |= share > limit
    return int(missed)


def _timed(call: Callable[[], None], *, verified: bool) -> float:
    with _verification(on=verified):
        start = time.process_time()
        call()
        return time.process_time() - start


@contextmanager
def _verification(*, on: bool) -> Iterator[None]:
    verify = integrity.verify
    if not on:
        integrity.verify = lambda root, files: None
    try:
        yield
    finally:
        integrity.verify = verify


def _flips(lake: Path, flips: int) -> int:
    """Flip bits in a copy of the lake, each once, wherever chance puts it; count the questions that were refused."""
    refused, random_ = 0, random.Random(19)
    with tempfile.TemporaryDirectory(dir=lake.parent) as folder:
        copy = Path(folder) / "lake"
        shutil.copytree(lake, copy)
        root, files = LakeStore(copy).root, LakeStore(copy).snapshot().files
        for number in range(flips):
            (file,) = random_.choices(files, weights=[each.size for each in files])
            place, bit = random_.randrange(file.size), random_.randrange(8)
            _flip(root / file.path, place, bit)
            integrity.forget()
            try:
                QUESTIONS[list(QUESTIONS)[number % len(QUESTIONS)]](wb.open(copy))
            except StoreCorrupt as error:
                refused += file.path in str(error)
            _flip(root / file.path, place, bit)
    print(f"{refused} of {flips} flipped bits were refused by name", flush=True)
    return int(refused < flips)


def _flip(path: Path, place: int, bit: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ 1 << bit]))
