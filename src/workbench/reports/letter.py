"""A report as a letter: what its answers say in words, its tiles as pictures, and the rest as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from workbench.reports.deliver import Message
from workbench.reports.render import fill
from workbench.reports.sanitize import clean

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.config import Settings
    from workbench.reports.pins import Pins


def of(made: Pins, folder: Path, settings: Settings) -> Message:
    """Write the letter of a report that was made; one that failed says so and why.

    Args:
        made: The report.
        folder: Its files.
        settings: Where people can open it, if that is set.
    """
    said = [(answer.question.replace("_", " "), answer.reading) for answer in made.answers if answer.reading]
    link = settings.delivery.link and f"{settings.delivery.link.rstrip('/')}/{made.report_id}/{made.report}.html"
    head = f"{made.title}, data up to {made.until}"
    lines = [head, "", *(f"{title}: {text.replace('**', '')}\n" for title, text in said)]
    foot = [f"Data version {made.data_version}.", link or ""]
    if made.status != "succeeded":
        lines[1:1] = ["", f"This report FAILED: {made.detail}"]
    paragraphs = [(title, clean(MarkdownIt().render(text))) for title, text in said]
    page = fill("letter.html.j2", {"pins": made, "said": paragraphs, "link": link})
    files = tuple(folder / name for name in made.files if (folder / name).is_file())
    failed = "" if made.status == "succeeded" else "FAILED: "
    return Message(
        subject=f"{failed}{head}", text="\n".join([*lines, *foot]), html=page, files=files, name=made.report_id
    )
