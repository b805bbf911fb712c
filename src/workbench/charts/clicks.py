"""Which part of a drawing was clicked, in the words of its chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import bqplot

if TYPE_CHECKING:
    from workbench.charts.live import ChartFigure
    from workbench.charts.spec import Coordinate


@dataclass(frozen=True, slots=True)
class Click:
    """The part of a chart that was clicked.

    Attributes:
        x: Its place on the horizontal axis; the column of a cell, and where a link of a flow goes to.
        row: The row of a cell, and where a link of a flow comes from.
        label: The label of its mark: which of several series.
        at: Its place among the bars, points or links of its mark.
    """

    x: Coordinate
    row: str | None = None
    label: str = ""
    at: int = 0


Listener: TypeAlias = Callable[[Click], None]
Answers: TypeAlias = Mapping[tuple[int, ...], Click]
"""What the elements of a bqplot mark are in the words of the chart, by the numbers that `_NUMBERS` names."""

_NUMBERS: Final = (
    (bqplot.Bars, ("index", "subIndex")),
    (bqplot.GridHeatMap, ("rowNum", "columnNum")),
    (bqplot.Scatter, ("index",)),
)


class Clicks:
    """Tells a listener of every bar, point, cell or link of a figure that is clicked."""

    def __init__(self, figure: ChartFigure, listener: Listener) -> None:
        """Take whom to tell, and begin."""
        self.figure, self.listener = figure, listener
        self.listen()

    def listen(self) -> None:
        """Hear the marks that the figure has now; again after `live.update`, which may have made new ones."""
        for mark in self.figure.marks:
            if self.figure.answers[mark]:
                mark.on_element_click(self._heard)  # the same listener is kept once

    def _heard(self, mark: bqplot.Mark, target: dict[str, Any]) -> None:
        data = target.get("data") or {}
        numbers = next((names for kind, names in _NUMBERS if isinstance(mark, kind)), ())
        clicked = self.figure.answers[mark].get(tuple(data.get(name, -1) for name in numbers))
        if clicked:
            self.listener(clicked)
