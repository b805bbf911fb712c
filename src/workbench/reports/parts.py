"""What reports are put together from, beside the questions themselves."""

from __future__ import annotations

import html
from datetime import date, timedelta
from typing import TYPE_CHECKING

from IPython.display import HTML, Markdown

from workbench.bench import Bench, open_
from workbench.charts.formats import number
from workbench.ingest import rejects
from workbench.metrics.coverage import coverage

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from workbench.results import Answer


def opened(lake: str | Path, known_at: str | None = None) -> Bench:
    """Open the events as they were known at an instant; as they are now if none is given."""
    bench = open_(lake, create=False)
    return bench if known_at is None else bench.as_of(known_at)


def weeks(bench: Bench, count: int, until: str | None) -> tuple[str, str]:
    """Return where the last full weeks begin and end; weeks begin on Monday."""
    end = _end(bench, until)
    monday = end - timedelta(days=end.weekday())
    return str(monday - timedelta(weeks=count)), str(monday)


def months(bench: Bench, count: int, until: str | None) -> tuple[str, str]:
    """Return where the last months begin, and the day that the data end before."""
    end = _end(bench, until)
    first = end.year * 12 + end.month - 1 - count
    return str(date(first // 12, first % 12 + 1, 1)), str(end)


def last_of(*answers: Answer) -> HTML:
    """Show the last full period of each answer beside the one before."""
    rows = []
    for answer in answers:
        over = answer.frame[answer.frame["mature"]] if "mature" in answer.frame else answer.frame
        for name in (column for column in ("users", "new_users", "messages", "participants") if column in over):
            if len(over) > 1 and (name != "users" or answer.definition.question == "active_users"):
                last, before = float(over[name].iloc[-1]), float(over[name].iloc[-2])
                rows.append((name.replace("_", " "), last, before))
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{number(last, 'count')}</td><td>{number(before, 'count')}</td>"
        f"<td>{_change(last, before)}</td></tr>"
        for name, last, before in rows
    )
    head = "<tr><th></th><th>last</th><th>before</th><th>change</th></tr>"
    return HTML(f"<table>{head}{cells}</table>")  # type: ignore[no-untyped-call]


def definitions(*answers: Answer) -> HTML:
    """Show what exactly was asked, and of which events."""
    rows = "".join(
        f"<tr><th>{html.escape(answer.definition.question)}</th><td class='long'>{html.escape(_described(answer))}</td>"
        f"<td>{answer.definition.fingerprint}</td></tr>"
        for answer in answers
    )
    version = html.escape(answers[0].data_version) if answers else ""
    return HTML(f'<table class="words">{rows}</table><p><small>Data version {version}.</small></p>')  # type: ignore[no-untyped-call]


def rejected(bench: Bench, known_at: str | None = None) -> pd.DataFrame | Markdown:
    """Show how many rows were set aside, by reason: one row per reason, with `rows` and `latest`."""
    found = rejects.counted(bench.place.control, until=known_at)
    return Markdown("Nothing was set aside.") if found.empty else found  # type: ignore[no-untyped-call]


def _end(bench: Bench, until: str | None) -> date:
    if until is not None:
        return date.fromisoformat(str(until))
    return coverage(bench.snapshot, bench.settings.timezone).now().astimezone(bench.settings.zone).date()


def _described(answer: Answer) -> str:
    return ", ".join(f"{name} {text}" for name, text in answer.definition.described().items() if name != "question")


def _change(last: float, before: float) -> str:
    return "" if before == 0 else f"{last / before - 1:+.0%}"
