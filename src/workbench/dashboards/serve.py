"""Voilà as a child process: it turns the dashboard notebooks into pages, one kernel per visitor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAGE: Final = "main.ipynb"
"""The dashboard to open first."""

EDITOR_ONLY: Final = (
    "@voila-dashboards/jupyterlab-preview",
    "jupyterlab-jupytext",
    "jupyterlab_pygments",
    "ploomber-extension",
)
"""Extensions made for JupyterLab's editor, which fail on a page of Voilà."""

SITE: Final = {
    "allow_remote_access": False,  # a page elsewhere whose name is turned to 127.0.0.1 must not read this one
    "headers": {
        "Content-Security-Policy": "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; "
        "frame-ancestors 'self'"
    },
}
"""What the web server holds every page to: asked by a local name only, and loading nothing from elsewhere."""

START_SECONDS: Final = 90
STOP_SECONDS: Final = 10
CULL_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.2
_TOLD: Final = 1_500


class ServerError(WorkbenchError):
    """Voilà did not start; the message ends with what it said."""


def serve(
    notebooks: Path,
    *,
    announce: Callable[[str], object],
    host: str = "127.0.0.1",
    port: int = 8866,
    store: str | None = None,
) -> None:
    """Serve the dashboards until Ctrl-C, or until told to end as services are.

    Args:
        notebooks: Folder of the dashboard notebooks.
        announce: Is told, in one line, where they are, once they can be opened.
        host: Address to listen on; one of this machine's own.
        port: Port to listen on; 0 picks a free one.
        store: The lake that they show; that of the settings when not given.

    Raises:
        InvalidArgument: The address is not this machine's own, the port is taken, or there are no notebooks.
        ServerError: Voilà did not start, or ended by itself.
    """
    with _ended(), running(notebooks, host=host, port=port, store=store) as (url, server), suppress(KeyboardInterrupt):
        announce(f"Dashboards: {url}  (Ctrl-C ends)")
        if server.wait():
            raise ServerError(f"Voilà ended by itself, with exit code {server.returncode}")


@contextmanager
def running(
    notebooks: Path, *, host: str = "127.0.0.1", port: int = 8866, store: str | None = None, page: str = PAGE
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run Voilà for the time of the block; give the address of the first page, and the process."""
    _check(notebooks, host, page)
    port = free_port(host, port)
    environment = os.environ | ({"WORKBENCH_STORE": store} if store else {})
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(  # noqa: S603 - our own command line
            _command(notebooks, host, port), env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(address(host, port, "static/voila.js"), server, log.fileno())
            yield address(host, port, f"render/{page}"), server
        finally:
            _stop(server)


def address(host: str, port: int, page: str = f"render/{PAGE}") -> str:
    """Return where a page of Voilà is.

    >>> address("::1", 8866)
    'http://[::1]:8866/voila/render/main.ipynb'
    """
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/voila/{page}"


@contextmanager
def _ended() -> Iterator[None]:
    """Take the end of a service, or of its terminal, for Ctrl-C: else Voilà would stay, and keep the port.

    What is ignored stays ignored: that is what `nohup` asks for.
    """
    heard = [end for end in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(end) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _command(notebooks: Path, host: str, port: int) -> list[str]:
    options = {
        "Voila.ip": host,
        "Voila.port_retries": 0,
        "Voila.open_browser": False,
        "Voila.tornado_settings": repr(SITE),
        "VoilaConfiguration.template": "workbench",
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.allow_theme_override": "NO",
        "VoilaConfiguration.classic_tree": True,
        "VoilaConfiguration.strip_sources": True,
        "VoilaConfiguration.show_tracebacks": False,
        "VoilaConfiguration.file_allowlist": "[]",  # nothing beside the notebooks can be fetched
        "VoilaConfiguration.extension_denylist": repr(list(EDITOR_ONLY)),
        "MappingKernelManager.cull_idle_timeout": CULL_SECONDS,
        "MappingKernelManager.cull_interval": CULL_SECONDS // 2,
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "voila", str(notebooks), f"--port={port}", *flags]


def _check(notebooks: Path, host: str, page: str) -> None:
    if not (notebooks / page).is_file():
        raise InvalidArgument(f"no {page} in {notebooks}: run this in a project that has notebooks/dashboards")
    try:
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise InvalidArgument(
            f"dashboards are served to this machine only, not on {host!r}: they have no login yet. "
            "Keep 127.0.0.1, and reach it from elsewhere through an SSH tunnel"
        )


def free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidArgument(f"port {port} is taken: name another with --port, or 0 for any free one") from error
        return int(probe.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes], log: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except (urllib.error.URLError, OSError):
            time.sleep(_POLL_SECONDS)
    said = os.pread(log, os.fstat(log).st_size, 0)[-_TOLD:].decode(errors="replace")
    raise ServerError(f"Voilà did not start:\n{said}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    """Ask it to end, with its kernels; after a while, make it. A kernel without its server ends by itself."""
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
