"""The process of Voilà: as it is, except where a request or the end of its parent would get past the door.

Run as `python -m workbench.dashboards.voila_server`, with Voilà's own options and a pipe as standard input, whose
other end is the parent's: when the parent ends, however it ends, the pipe does, and Voilà with all its kernels.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any, Final

import psutil
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, RequestHandler, StaticFileHandler
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler

END_SECONDS: Final = 8.0
"""How long Voilà may take to end its kernels once its parent is gone."""

_STDIN: Final = 0
_NO_PATH: Final = (ValueError, AssertionError, NameError, OSError)
"""What static handlers raise for a path that is none: too short, of no template, with a null byte."""


class Headers(RequestHandler):
    """The headers that pages have, for handlers that are not Jupyter's."""

    def set_default_headers(self) -> None:
        """Set them."""
        for name, value in self.settings.get("headers", {}).items():
            self.set_header(name, value)


class NotFound(Headers):
    """Whatever there is no handler for."""

    def prepare(self) -> None:
        """Say so.

        Raises:
            HTTPError: 404, always.
        """
        raise HTTPError(404)


class StaticFiles(Headers, StaticFileHandler):
    """Static files; 404 for whatever is no path."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send a file.

        Raises:
            HTTPError: 404 if there is none.
        """
        try:
            await super().get(path, include_body)
        except _NO_PATH as error:
            raise HTTPError(404) from error


class RequestInfo(RequestInfoSocketHandler, JupyterHandler):  # type: ignore[misc] # Voilà has no types
    """The query of a page, for its kernel: Voilà gives it to anybody, here it takes the token where there is one."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Let in who may come in.

        Raises:
            HTTPError: 403 without the token.
        """
        await JupyterHandler.prepare(self, _redirect_to_login=False)


class Server(Voila):  # type: ignore[misc]
    """Voilà, with its handlers and kernels told to the door."""

    def init_settings(self) -> dict[str, Any]:
        """Make the kernel manager say who takes a kernel that waits ready."""
        settings: dict[str, Any] = super().init_settings()
        kernels = settings["kernel_manager"]
        take = getattr(kernels, "get_rendered_notebook", None)
        if take is not None:

            async def taken(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as Voilà calls it
                page = await take(*arguments, **named)
                kernels.claim(page[-1])
                return page

            kernels.get_rendered_notebook = taken
        return settings

    def init_handlers(self) -> list[tuple[Any, ...]]:
        """Put our handlers in the place of those that would let past the door, or fail."""
        handlers = [(pattern, _replaced(handler), *more) for pattern, handler, *more in super().init_handlers()]
        return [*handlers, (r"/.*", NotFound)]


def _replaced(handler: type[RequestHandler]) -> type[RequestHandler]:
    if handler is RequestInfoSocketHandler:
        return RequestInfo
    if issubclass(handler, StaticFileHandler) and not issubclass(handler, JupyterHandler):
        return type(handler.__name__, (StaticFiles, handler), {})
    return handler


def end_with_parent() -> None:
    """End this process and its kernels once the other end of standard input is closed."""
    while os.read(_STDIN, 1):  # nothing is ever written
        pass
    late = threading.Timer(END_SECONDS, _end)
    late.daemon = True  # once all has ended in time, nothing is to wait for it
    late.start()
    os.kill(os.getpid(), signal.SIGTERM)


def _end() -> None:
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, name="workbench-parent", daemon=True).start()
    Server.launch_instance()
