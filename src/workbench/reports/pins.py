"""What a report was made from, and every number in it: enough to make it again, and to say what moved since.

The numbers are those of the answers that the notebook holds when it has run: whatever a cell assigned to a name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from workbench.errors import InvalidArgument
from workbench.results import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE: Final = "report.json"
ANSWERS: Final = "answers"


@dataclass(frozen=True, kw_only=True)
class PinnedAnswer:
    """One answer of a report: its name in the notebook, what was asked, and a hash of its numbers."""

    name: str
    question: str
    definition: dict[str, Any]
    reading: str
    rows: int
    frame_hash: str


@dataclass(frozen=True, kw_only=True)
class Pins:
    """What a report was made from.

    Attributes:
        report_id: Also the name of its folder.
        status: `succeeded` or `failed`.
        values: Its parameters.
        known_at: Nothing that was ingested later counts.
        until: End of the data, exclusive.
        data_version: Of the events as they were read.
        notebook_hash: Of the notebook's cells.
        code_hash: Of the package.
        settings_hash: Of the settings that can change a number.
        answers: What it says.
        files: What it was made as.
        detail: What went wrong.
    """

    report_id: str
    report: str
    title: str
    status: str
    made_at: str
    values: dict[str, Any]
    known_at: str
    until: str
    data_version: str
    notebook_hash: str
    code_hash: str
    settings_hash: str
    answers: tuple[PinnedAnswer, ...] = ()
    files: tuple[str, ...] = ()
    detail: str = ""

    @classmethod
    def read(cls, folder: Path) -> Pins:
        """Read what was kept in a report's folder.

        Raises:
            InvalidArgument: There is no report, or its file is damaged.
        """
        try:
            told = json.loads((folder / FILE).read_text(encoding="utf-8"))
            answers = tuple(PinnedAnswer(**each) for each in told.pop("answers"))
            return cls(**{**told, "answers": answers, "files": tuple(told["files"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidArgument(f"{folder} holds no report: {error}") from error


def keep(names: Mapping[str, object], folder: Path) -> list[PinnedAnswer]:
    """Keep the answers among what a notebook holds: the frame of each as Parquet, and what was asked.

    Args:
        names: What the notebook holds, by name.
        folder: Where to; made if needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept, seen = [], set[int]()
    for name, value in names.items():
        if not isinstance(value, Answer) or name.startswith("_") or id(value) in seen:
            continue
        seen.add(id(value))
        value.frame.to_parquet(folder / f"{name}.parquet")
        kept.append(pinned(name, value))
    (folder / "answers.json").write_text(json.dumps([vars(each) for each in kept], default=str), encoding="utf-8")
    return kept


def pinned(name: str, answer: Answer) -> PinnedAnswer:
    """Say what an answer is."""
    try:
        reading = answer.reading()
    except TypeError:  # an answer without one
        reading = ""
    return PinnedAnswer(
        name=name, question=answer.definition.question, definition=answer.definition.to_dict(), reading=reading,
        rows=len(answer.frame), frame_hash=frame_hash(answer.frame),
    )  # fmt: skip


def read_kept(folder: Path) -> tuple[PinnedAnswer, ...]:
    """Return what `keep` wrote; nothing where it did not come to that."""
    file = folder / "answers.json"
    return (
        tuple(PinnedAnswer(**each) for each in json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else ()
    )


def frame(folder: Path, name: str) -> pd.DataFrame:
    """Return the numbers of one answer of a report, as they were then."""
    return pd.read_parquet(folder / ANSWERS / f"{name}.parquet")


def frame_hash(frame: pd.DataFrame) -> str:
    """Name the numbers of a frame: equal frames have equal names, whatever type holds them."""
    text = frame.to_json(orient="split", date_format="iso", date_unit="us", double_precision=12, default_handler=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def notebook_hash(path: Path) -> str:
    """Name what a notebook does: its cells, without outputs and counts."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    told = [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in cells]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()


def find(reports: Path, report_id: str) -> Path:
    """Return the folder of a report by its id, or the beginning of it; the newest of those that begin like this.

    Raises:
        InvalidArgument: There is none.
    """
    known = sorted(file.parent for file in reports.glob(f"*/{FILE}"))
    found = [folder for folder in known if folder.name.startswith(report_id)]
    exact = [folder for folder in found if folder.name == report_id]
    if not found:
        raise InvalidArgument(f"no report begins with {report_id!r}: see `workbench report list`")
    return (exact or sorted(found, key=lambda folder: Pins.read(folder).made_at))[-1]


def listed(reports: Path) -> list[Pins]:
    """Return the reports that were made, the newest first."""
    found = [Pins.read(file.parent) for file in reports.glob(f"*/{FILE}")]
    return sorted(found, key=lambda pins: pins.made_at, reverse=True)
