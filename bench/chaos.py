"""Damage lakes in every way that disks, crashes and clocks do, and count: nothing silently wrong, nothing lost.

Run with `python -m bench chaos`; `--flips 50 --logs 10 --vacuums 10 --schedules 4` for a short one. A flip or a cut is
answered right when a question is refused, or gives the number that it gave before.
"""

from __future__ import annotations

import argparse
import random
import shutil
import tempfile
import time
import warnings
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import chaos_clocks
from bench.chaos_world import EXPORTS, Answers, answers, build, export, repeated
from workbench.errors import LostEventsWarning, StoreError
from workbench.ingest import audit
from workbench.ingest.files import ingest
from workbench.store.lake import LakeStore
from workbench.store.repair import repair

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED: Final = "refused"
UNNAMED: Final = "refused by another error"
SAME: Final = "same number"
WRONG: Final = "silently wrong"
LOST: Final = "lost"
DOUBLED: Final = "doubled"
UNNOTICED: Final = "unnoticed"
FAILURES: Final = (WRONG, LOST, DOUBLED, UNNOTICED)


def flips(folder: Path, count: int, rng: random.Random) -> Counter[str]:
    """Flip one bit of one data file at a time, in the tail and in sorted cells, and ask a fresh store."""
    lake = build(folder / "flips")
    expected, found = answers(lake), Counter[str]()
    paths = sorted(lake.rglob("*.parquet"))
    tail = [path for path in paths if "month=tail" in str(path)]
    cells = [path for path in paths if "month=tail" not in str(path)]
    for number in range(count):
        path = rng.choice(tail if number % 3 == 0 else cells)
        content = path.read_bytes()
        path.write_bytes(_flipped(content, rng))
        if number % 5 == 4:
            found[_outcome(lambda: _told_again(lake, folder / "again"), expected)] += 1
        else:
            found[_outcome(lambda: answers(lake), expected)] += 1
        path.write_bytes(content)
    return found


def _told_again(lake: Path, copy: Path) -> Answers:
    """Ingest events that the lake has already, and sort them in, in a copy."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(lake, copy)
    store = LakeStore(copy, create=False)
    store.append_all(repeated(), moved={"again": (0, 1)})
    store.maintain()
    return answers(copy)


def logs(folder: Path, count: int, rng: random.Random) -> Counter[str]:
    """Lose, empty, cut or spoil an entry of the log; ask; then repair, ingest the exports again, and ask again."""
    lake = build(folder / "logs")
    expected, found = answers(lake), Counter[str]()
    exports = [export(folder, number) for number in EXPORTS]
    for number in range(count):
        copy = folder / "cut"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(lake, copy)
        entries = sorted((copy / "events/_delta_log").glob("*.json"))
        entry = entries[-1] if number % 2 else rng.choice(entries)
        _spoil(entry, rng)
        outcome = _outcome(partial(answers, copy), expected)
        found[outcome] += 1
        if outcome == SAME:
            found[UNNOTICED] += 1
        found.update(_mended(copy, exports, expected))
    return found


def _mended(lake: Path, exports: list[Path], expected: Answers) -> Counter[str]:
    unchecked = LakeStore(lake, check=False)
    repair(lake, expected=audit.recorded_positions(unchecked, {}), now=datetime.now(UTC))
    for path in exports:
        ingest(LakeStore(lake, create=False), path)
    found, now = Counter[str](), answers(lake)
    found[LOST] = max(0, expected.events - now.events)
    found[DOUBLED] = max(0, now.events - expected.events)
    found[WRONG] = int(now != expected)
    found["differences"] = len(audit.differences(LakeStore(lake), {}))
    return found


def _spoil(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    spoilt: dict[str, Callable[[], object]] = {
        "deleted": path.unlink,
        "emptied": lambda: path.write_bytes(b""),
        "cut": lambda: path.write_bytes(content[: rng.randrange(len(content))]),
        "cut between lines": lambda: path.write_bytes(b"".join(lines[: rng.randrange(len(lines))])),
        "flipped": lambda: path.write_bytes(_flipped(content, rng)),
    }
    spoilt[rng.choice(sorted(spoilt))]()


def _flipped(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _outcome(ask: Callable[[], Answers], expected: Answers) -> str:
    try:
        return SAME if ask() == expected else WRONG
    except StoreError:
        return REFUSED
    except Exception:
        return UNNAMED


def main(arguments: list[str]) -> int:
    """Run all four; return 1 if anything was silently wrong, lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m bench chaos", description=__doc__)
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--logs", type=int, default=100)
    parser.add_argument("--vacuums", type=int, default=50)
    parser.add_argument("--schedules", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args(arguments)
    parts = {
        "bit flips": (flips, wanted.flips),
        "lost or cut logs": (logs, wanted.logs),
        "vacuums against writers, clocks 3 days off": (chaos_clocks.vacuums, wanted.vacuums),
        "schedules against old lakes": (chaos_clocks.schedules, wanted.schedules),
    }
    total = Counter[str]()
    for name, (run, count) in parts.items():
        folder, start = Path(tempfile.mkdtemp(prefix="workbench-chaos-")), time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LostEventsWarning)
                found = run(folder, count, random.Random(wanted.seed))
        finally:
            shutil.rmtree(folder)
        total.update(found)
        told = ", ".join(f"{number:,} {what}" for what, number in sorted(found.items()) if number)
        print(f"{count:4d} {name}: {told or 'nothing'} ({time.perf_counter() - start:,.0f} s)", flush=True)
    failed = {what: total[what] for what in FAILURES if total[what]}
    if failed:
        print(f"FAILED, seed {wanted.seed}: " + ", ".join(f"{number:,} {what}" for what, number in failed.items()))
        return 1
    print(f"0 silently wrong, 0 lost (seed {wanted.seed})")
    return 0
