"""What every answer is: a frozen object of a tidy frame and all that is needed to trust it."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from workbench.charts.formats import duration

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd
    from bqplot import Figure

    from workbench.charts.spec import Chart


MOST_ROWS: Final = 40
"""Rows of a frame that are shown, from both ends; the frame has them all."""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """What exactly was asked, every option resolved. Hashable; equal definitions ask the same."""

    question: ClassVar[str]
    people: Hashable | None = None
    """Of whom alone it was asked: a segment; `None` for everybody."""

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types, the question's name first."""
        options = {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"question": self.question, **options}

    def described(self) -> dict[str, str]:
        """Return the options that are not as they usually are, as a person reads them."""
        values = {field: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"question": self.question} | {
            field.name: _shown(value) for field, value in values.items() if value is not None and value != field.default
        }

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits, the same for equal definitions on every machine."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The answer to one question. A subclass documents its frame and draws it.

    Attributes:
        frame: Tidy, one grain; the subclass names its columns.
        sql: The SQL that ran, with `$name` where values were bound.
        definition: Every option, resolved.
        data_version: The version of the events it was computed from.
        notes: What else is to be said of it, such as where the data end.
    """

    frame: pd.DataFrame
    sql: str
    definition: Definition
    data_version: str
    notes: tuple[str, ...] = ()

    def chart(self) -> Chart:
        """Return what `plot` draws, as plain values."""
        raise TypeError(f"{type(self).__name__} has no chart")

    def reading(self) -> str:
        """Say in one paragraph what the numbers are, computed from them, and what the question leaves out."""
        return " ".join([self._reading(), *self.notes])

    def _reading(self) -> str:
        """Say what the numbers are."""
        raise TypeError(f"{type(self).__name__} has no reading")

    def plot(self) -> Figure:
        """Draw the chart with bqplot; in a report the same figure is SVG."""
        from workbench.charts.live import figure  # noqa: PLC0415 - bqplot is loaded where something is drawn

        return figure(self.chart())

    def to_dict(self) -> dict[str, object]:
        """Return plain JSON types: the frame's rows, the definition and the data version."""
        rows = [{name: plain(value) for name, value in row.items()} for row in self.frame.to_dict("records")]
        return {"rows": rows, "definition": self.definition.to_dict(), "data_version": self.data_version}

    def _repr_html_(self) -> str:
        options = " · ".join(f"{name} {text}" for name, text in self.definition.described().items())
        written: dict[Any, Any] = {name: _duration for name in self.frame if str(name).endswith("_seconds")}
        written |= dict.fromkeys(self.frame.select_dtypes(["datetime", "datetimetz"]), _instant)
        table = self.frame.to_html(
            index=False, border=0, na_rep="", max_rows=MOST_ROWS, formatters=written,
            float_format=lambda number: f"{number:.3f}",
        )  # fmt: skip
        rows = f"{len(self.frame):,} rows · " if len(self.frame) > MOST_ROWS else ""
        told = f"{rows}{html.escape(options)} · data version {html.escape(self.data_version)}"
        notes = "".join(f"<br>{html.escape(note)}" for note in self.notes)
        return f"{table}<p><small>{told}{notes}</small></p>"


def _duration(seconds: float) -> str:
    return "" if seconds != seconds else duration(seconds)  # noqa: PLR0124 - NaN


def _instant(moment: datetime) -> str:
    return "" if moment != moment else f"{moment:%Y-%m-%d %H:%M}"  # noqa: PLR0124 - NaT


def _shown(value: object) -> str:
    if isinstance(value, Definition):
        return ", ".join(f"{name} {text}" for name, text in value.described().items())
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, timedelta):
        return duration(value.total_seconds())
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M %Z}"
    if dataclasses.is_dataclass(value) and type(value).__str__ is object.__str__:
        return ", ".join(f"{field.name} {_shown(getattr(value, field.name))}" for field in dataclasses.fields(value))
    return str(value)


def plain(value: Any) -> Any:  # noqa: ANN401 - any value of a frame or a definition
    """Turn a value into JSON types: times as ISO 8601, durations as seconds, missing as None."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date | datetime):
        return None if value != value else value.isoformat()  # noqa: PLR0124 - NaT alone differs from itself
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "item"):  # a NumPy scalar
        return plain(value.item())
    number = float(value)
    return number if number - number == 0 else None
