"""What the browser does for a page: its address, its theme, what is exported, what is read aloud, what keys do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT: Final = Path(__file__).with_name("browser.js")


class Browser(anywidget.AnyWidget):
    """The part of a page that lives in the browser; it shows nothing itself.

    Attributes:
        query: What the address of the page asks for; written to it as it changes.
        narrow: Whether the page is as narrow as on a phone.
        labels: What each tile says in words, by its name, for who cannot see the drawing.
    """

    _esm = SCRIPT.read_text(encoding="utf-8")

    query = traitlets.Dict().tag(sync=True)
    labels = traitlets.Dict().tag(sync=True)
    narrow = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, *, csv: Callable[[str], str]) -> None:
        """Take what writes the data of a tile as CSV, by the name of the tile."""
        super().__init__()
        self.layout.display = "none"
        self._csv = csv
        self.on_msg(self._asked)

    def _asked(self, _: object, said: dict[str, Any], __: object) -> None:
        tile = said.get("csv") if isinstance(said, dict) else None
        if isinstance(tile, str):
            self.send({"csv": self._csv(tile), "tile": tile})
