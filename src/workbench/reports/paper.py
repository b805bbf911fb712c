"""Pages as PDF, and figures as PNG: printed by Chromium, which runs without network and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from workbench.errors import ReportError

if TYPE_CHECKING:
    from pathlib import Path

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_SECONDS: Final = 120
_ALWAYS: Final = (
    "--headless=new", "--disable-gpu", "--no-first-run", "--disable-extensions", "--disable-background-networking",
    "--disable-component-update", "--disable-default-apps", "--disable-sync", "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars",
)  # fmt: skip


def pdf(page: Path, target: Path) -> Path:
    """Print a page as PDF.

    Raises:
        ReportError: There is no browser, or it did not print.
    """
    return _print(page, target, f"--print-to-pdf={target}", "--no-pdf-header-footer")


def png(page: Path, target: Path, *, width: int, height: int) -> Path:
    """Take a picture of a page, twice as fine as its size says.

    Raises:
        ReportError: There is no browser, or it made no picture.
    """
    return _print(
        page, target, f"--screenshot={target}", f"--window-size={width},{height}", "--force-device-scale-factor=2",
        "--default-background-color=FFFFFFFF",
    )  # fmt: skip


def browser() -> str:
    """Return the path of the browser.

    Raises:
        ReportError: None is installed.
    """
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise ReportError(
            "PDF and PNG need Chromium, and none is installed: `apt-get install chromium`, or leave `pdf` and `png` out"
            " of the report's formats"
        )
    return found


def _print(page: Path, target: Path, *options: str) -> Path:
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="workbench-paper-", ignore_cleanup_errors=True) as profile:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
        words = [browser(), *_ALWAYS, *root, f"--user-data-dir={profile}", *options, page.absolute().as_uri()]
        process = subprocess.Popen(  # noqa: S603 - our own words
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            _, said = process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            said = f"no end after {TIMEOUT_SECONDS} s".encode()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if not target.is_file() or not target.stat().st_size:
        told = said.decode(errors="replace").strip().splitlines()
        raise ReportError(f"{page.name} was not printed: {told[-1] if told else 'Chromium said nothing'}")
    return target
