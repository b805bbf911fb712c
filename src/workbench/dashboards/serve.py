"""Voilà as a child process: it turns the dashboard notebooks into pages, one kernel per visitor.

Who comes in, and how many, is for `door` to say, which Voilà takes by its name.
"""

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

from workbench import config
from workbench.dashboards import token_strength
from workbench.errors import InvalidArgument, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.config import DashboardSettings

PAGE: Final = "main.ipynb"
"""The dashboard to open first."""

EDITOR_ONLY: Final = (
    "@voila-dashboards/jupyterlab-preview",
    "jupyterlab-jupytext",
    "jupyterlab_pygments",
    "ploomber-extension",
)
"""Extensions made for JupyterLab's editor, which fail on a page of Voilà."""

POLICY: Final = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'self'"
)
"""What every page is held to: it loads nothing from elsewhere, and is shown inside of no other."""

HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",  # without any, a server that checks where a request comes from refuses it
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""What every answer carries."""

PAGES: Final = ("main.ipynb", "predictive.ipynb", "performance.ipynb", "explore.ipynb", "runs.ipynb")
"""Those that kernels are kept ready for."""

START_SECONDS: Final = 90
STOP_SECONDS: Final = 10
CULL_EVERY_SECONDS: Final = 15
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
    chosen = config.load().dashboards
    ready = running(notebooks, host=host, port=port, store=store, settings=chosen)
    with _ended(), ready as (url, server), suppress(KeyboardInterrupt):
        if chosen.token is not None:
            announce("Visitors need the token of the settings, `dashboards.token`.")
            if weak := token_strength.warning(chosen.token.get_secret_value()):
                announce(f"Warning: {weak}")
        announce(f"Dashboards: {url}  (Ctrl-C ends)")
        if server.wait():
            raise ServerError(f"Voilà ended by itself, with exit code {server.returncode}")


@contextmanager
def running(
    notebooks: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8866,
    store: str | None = None,
    page: str = PAGE,
    settings: DashboardSettings | None = None,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run Voilà for the time of the block; give the address of the first page, and the process.

    Without settings of its own it has those of the project, but keeps no kernel ready.
    """
    chosen = settings or config.load().dashboards.model_copy(update={"warm": 0})
    _check(notebooks, host, page, chosen)
    port = free_port(host, port)
    environment = os.environ | _environment(chosen) | ({"WORKBENCH_STORE": store} if store else {})
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(  # noqa: S603 - our own command line
            _command(notebooks, host, port, chosen), env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
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


def _environment(chosen: DashboardSettings) -> dict[str, str]:
    """Hand the settings on. The token goes this way, for every user of a machine can read a command line."""
    token = {"token": chosen.token.get_secret_value()} if chosen.token else {}
    given = chosen.model_dump(exclude={"token"}) | token
    return {f"WORKBENCH_DASHBOARDS__{name.upper()}": str(value) for name, value in given.items()}


def _command(notebooks: Path, host: str, port: int, chosen: DashboardSettings) -> list[str]:
    site = {"allow_remote_access": not _is_local(host), "headers": HEADERS}
    options = {
        "Voila.ip": host,
        "Voila.port_retries": 0,
        "Voila.open_browser": False,
        "Voila.tornado_settings": repr(site),  # locally, a page elsewhere whose name is turned to 127.0.0.1 is refused
        "Voila.identity_provider_class": "workbench.dashboards.door.Door",
        "VoilaConfiguration.multi_kernel_manager_class": "workbench.dashboards.door_kernels.Kernels",
        "VoilaConfiguration.template": "workbench",
        "VoilaConfiguration.allow_template_override": "NO",
        "VoilaConfiguration.allow_theme_override": "NO",
        "VoilaConfiguration.classic_tree": True,
        "VoilaConfiguration.strip_sources": True,
        "VoilaConfiguration.show_tracebacks": False,
        "VoilaConfiguration.file_allowlist": "[]",  # nothing beside the notebooks can be fetched
        "VoilaConfiguration.extension_denylist": repr(list(EDITOR_ONLY)),
        "VoilaConfiguration.preheat_kernel": chosen.warm > 0,
        "MappingKernelManager.cull_idle_timeout": chosen.idle_seconds,
        "MappingKernelManager.cull_interval": CULL_EVERY_SECONDS,
    }
    if chosen.warm:
        pools = {"default": {"pool_size": 0}} | {page: {"pool_size": chosen.warm} for page in PAGES}
        options |= {"VoilaKernelManager.kernel_pools_config": repr(pools), "VoilaKernelManager.fill_delay": 0}
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [sys.executable, "-m", "workbench.dashboards.voila_server", str(notebooks), f"--port={port}", *flags]


def _check(notebooks: Path, host: str, page: str, chosen: DashboardSettings) -> None:
    if not (notebooks / page).is_file():
        raise InvalidArgument(f"no {page} in {notebooks}: run this in a project that has notebooks/dashboards")
    if chosen.token is None and not _is_local(host):
        raise InvalidArgument(
            f"dashboards without a token are served to this machine only, not on {host!r}: set one of 16 letters or "
            "more, `dashboards: {token: …}` or WORKBENCH_DASHBOARDS__TOKEN, or keep 127.0.0.1"
        )


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


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
    """Ask it to end, with its kernels; after a while, make it. A kernel without its server ends by itself.

    Where nothing of this runs, as after SIGKILL, the pipe that is its standard input ends, and it with that.
    """
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    finally:
        if server.stdin is not None:
            server.stdin.close()
