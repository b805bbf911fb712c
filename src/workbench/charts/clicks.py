"""Which part of a drawing was clicked, in the words of its chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import bqplot

if TYPE_CHECKING:
    from workbench.charts.live import ChartFigure


@dataclass(frozen=True, slots=True)
class Click:
    """What was clicked: the name or value at its place on the horizontal axis, and of a heat map its row."""

    x: str | float
    row: str | None = None


Listener: TypeAlias = Callable[[Click], None]


class Clicks:
    """Tells a listener of every bar, point or cell of a figure that is clicked."""

    def __init__(self, figure: ChartFigure, listener: Listener) -> None:
        """Take whom to tell, and begin."""
        self.figure, self.listener = figure, listener
        self.listen()

    def listen(self) -> None:
        """Hear the marks that the figure has now; again after `live.update`, which may have made new ones."""
        for mark in self.figure.marks:
            if isinstance(mark, bqplot.Bars | bqplot.GridHeatMap | bqplot.Scatter):
                mark.on_element_click(self._heard)  # the same listener is kept once

    def _heard(self, _: bqplot.Mark, target: dict[str, Any]) -> None:
        data = target.get("data") or {}
        if "row" in data and "column" in data:
            self.listener(Click(x=data["column"], row=str(data["row"])))
        elif "x" in data:
            self.listener(Click(x=data["x"]))
