"""The contents of a page's tiles: asked, kept for a while, and kept on when a later question fails."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from workbench.dashboards.definition import Content, Said, view
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from workbench.bench import Bench
    from workbench.dashboards.definition import Page, Tile, View

SLOW_SECONDS: Final = 900.0
"""How long contents are kept that take long to make."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a tile shows, of which version of the data, when it was asked, and why it could not be asked again."""

    content: Content
    version: str
    at: float
    stale: str = ""


class Answers:
    """Asks the tiles of a page. An answer is kept while the data are the same, and for a while when they are not."""

    def __init__(
        self,
        page: Page,
        bench: Bench,
        *,
        now: datetime | None = None,
        keep: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the page and whom to ask.

        Args:
            page: What is asked.
            bench: Whom; `refresh` moves it to the newest version.
            now: The present, when it is not that of the clock.
            keep: Seconds for which an answer is kept although the data have changed; those of the settings if not
                given.
            clock: Says how late it is, in seconds.
        """
        self.page, self.bench, self.now, self.clock = page, bench, now, clock
        self.keep = bench.settings.dashboards.cache_seconds if keep is None else keep
        self._known: dict[tuple[str, tuple[tuple[str, str], ...]], Shown] = {}
        self._seen: tuple[tuple[str, tuple[tuple[str, str], ...]], View | None] | None = None

    def view(self, chosen: Mapping[str, str]) -> View | None:
        """Look at the bench; `None` where there are no events. All tiles share what was asked of the same data."""
        key = (self.bench.data_version, _choice(chosen))
        if self._seen is None or self._seen[0] != key:
            self._seen = (key, view(self.bench, chosen, now=self.now))
        return self._seen[1]

    def refresh(self) -> str:
        """Move to the newest version of the data; return its name."""
        self.bench.refresh()
        return self.bench.data_version

    def due(self, tile: Tile, chosen: Mapping[str, str]) -> bool:
        """Tell whether a tile has to be asked: never was, or of other data longer ago than answers are kept."""
        known = self._known.get(_key(tile, chosen))
        if known is None:
            return True
        lasting = SLOW_SECONDS if tile.slow else self.keep
        other = known.version != self.bench.data_version or known.stale or isinstance(known.content, Said)
        return bool(other) and self.clock() - known.at >= min(lasting, self.keep if known.stale else lasting)

    def known(self, tile: Tile, chosen: Mapping[str, str]) -> Shown | None:
        """Return what a tile showed last with these choices."""
        return self._known.get(_key(tile, chosen))

    def ask(self, tile: Tile, chosen: Mapping[str, str]) -> Shown:
        """Ask a tile. One that cannot be asked shows what it did before, as stale, or says why it shows nothing."""
        before = self.known(tile, chosen)
        version, at = self.bench.data_version, self.clock()
        try:
            shown = Shown(content=self._content(tile, chosen), version=version, at=at)
        except WorkbenchError as error:
            shown = _failed(tile, str(error), before, version, at)
        except Exception as error:  # one tile that fails must not take the others with it
            shown = _failed(tile, f"{type(error).__name__}: {error}", before, version, at)
        self._known[_key(tile, chosen)] = shown
        return shown

    def _content(self, tile: Tile, chosen: Mapping[str, str]) -> Content:
        seen = self.view(chosen)
        if seen is None:
            return Said(title=tile.title, text="No events yet: `workbench ingest FILE` puts some in.")
        return tile.asks(seen)


def _failed(tile: Tile, why: str, before: Shown | None, version: str, at: float) -> Shown:
    if before is not None and not isinstance(before.content, Said):
        return replace(before, at=at, stale=why)
    return Shown(content=Said(title=tile.title, text=why, error=True), version=version, at=at)


def _key(tile: Tile, chosen: Mapping[str, str]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return tile.name, _choice(chosen)


def _choice(chosen: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(chosen.items()))
