"""The door of the dashboards: who may come in, how many at once, and to which kernel.

Voilà takes this class by its name, as it takes any identity provider of Jupyter. Every request passes `get_user`.
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from jupyter_server.auth import IdentityProvider
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from tornado.web import HTTPError

from workbench import config

if TYPE_CHECKING:
    from jupyter_server.auth import User
    from tornado.web import RequestHandler

    from workbench.dashboards.door_kernels import Kernels

BUSY_SECONDS: Final = 10
"""After how long a visitor who found no room is to ask again."""

WRONG_SECONDS: Final = 1.0
"""How long a wrong token is answered after, so that guessing takes forever."""

COMING_SECONDS: Final = 120.0
"""After how long somebody who was let in and has no kernel yet is taken for gone."""

_PAGE: Final = re.compile(r"/voila/render/.+")
_KERNEL: Final = re.compile(r"/(?:api/kernels|voila/api/shutdown|voila/query|voila/execution)/([\w-]+)")


class Login(LoginFormHandler):
    """The page that asks for the token."""

    def _render(self, message: dict[str, str] | None = None) -> None:
        template = self.settings["voila_jinja2_env"].get_template("login.html")
        following = self.get_argument("next", default=self.base_url)
        self.write(template.render(**self.template_namespace, next=following, message=message))

    @allow_unauthenticated
    async def post(self) -> None:
        """Let in who has the token; answer anybody else after a while."""
        user = self.current_user = self.identity_provider.process_login_form(self)
        if user is None:
            await asyncio.sleep(WRONG_SECONDS)
            self.set_status(401)
            self._render({"error": "This is not the token."})
            return
        self.identity_provider.set_login_cookie(self, user)
        self._redirect_safe(self.get_argument("next", default=self.base_url))  # type: ignore[no-untyped-call]


class Door(IdentityProvider):
    """Lets visitors in: by a token where there is one, as many as there is room for, each to a kernel of their own."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - as Jupyter makes it
        settings = config.load().dashboards
        token = settings.token.get_secret_value() if settings.token else ""
        super().__init__(**given | {"token": token, "login_handler_class": Login})
        self.cookie_options = {"samesite": "Lax"}
        self.visitors = settings.visitors
        self._owners: dict[str, str] = {}
        self._coming: dict[RequestHandler, float] = {}

    @property
    def auth_enabled(self) -> bool:
        """Whether a token is needed."""
        return bool(self.token)

    @property
    def login_available(self) -> bool:
        """Whether there is a page that asks for it."""
        return self.auth_enabled

    @property
    def logout_available(self) -> bool:
        """There is nothing to log out of: the cookie ends with the browser's session."""
        return False

    def process_login_form(self, handler: RequestHandler) -> User | None:
        """Return somebody new where the token is right."""
        typed = handler.get_argument("password", default="", strip=False)
        right = hmac.compare_digest(typed.encode(), self.token.encode())
        return self.generate_anonymous_user(handler) if right and self.token else None

    async def get_user(self, handler: RequestHandler) -> User | None:
        """Return who asks; answer right here where they are to wait, or to leave the token out of the address.

        Raises:
            HTTPError: 404 for a kernel that is not theirs.
        """
        user = await self._get_user(handler)
        if user is None or handler.request.method == "OPTIONS":
            return user
        path = handler.request.path
        if kernel := _KERNEL.search(path):
            self._check_owner(kernel[1], user.username, handler.settings["kernel_manager"])
        elif handler.request.method == "GET" and "token" in handler.request.query_arguments:
            handler.redirect(_without_token(handler.request.uri))
        elif _PAGE.search(path):
            if self._has_room(handler):
                _let_leave(handler, user)
            else:
                _answer_busy(handler)
        return user

    def _check_owner(self, kernel_id: str, username: str, kernels: Kernels) -> None:
        """A kernel is of the browser that opens it first: only that one was told its id."""
        self._owners = {kernel: owner for kernel, owner in self._owners.items() if kernel in kernels}
        if kernel_id not in kernels or kernels.is_waiting(kernel_id):
            raise HTTPError(404)
        if self._owners.setdefault(kernel_id, username) != username:
            raise HTTPError(404)

    def _has_room(self, handler: RequestHandler) -> bool:
        """Say whether one more fits, and count them if so, until they have a kernel."""
        now = time.monotonic()
        coming = {
            who: since for who, since in self._coming.items() if _still_coming(who) and now - since < COMING_SECONDS
        }
        self._coming = coming
        if handler.settings["kernel_manager"].occupied + len(coming) >= self.visitors:
            return False
        coming[handler] = now
        return True


def _still_coming(handler: RequestHandler) -> bool:
    return not (handler._finished or handler._headers_written or getattr(handler, "workbench_placed", False))


def _let_leave(handler: RequestHandler, user: User) -> None:
    """Give the browser the cookie without which its word that the page was left, and the kernel free, is refused."""
    handler.current_user = user
    handler.xsrf_token  # noqa: B018 - reading it sets the cookie


def _answer_busy(handler: RequestHandler) -> None:
    template = handler.settings["voila_jinja2_env"].get_template("busy.html")
    handler.set_status(503)
    handler.set_header("Retry-After", str(BUSY_SECONDS))
    handler.set_header("Cache-Control", "no-store")
    handler.finish(template.render(base_url=handler.settings["base_url"], seconds=BUSY_SECONDS))


def _without_token(uri: str) -> str:
    asked = urlsplit(uri)
    rest = [(name, value) for name, value in parse_qsl(asked.query, keep_blank_values=True) if name != "token"]
    return asked._replace(scheme="", netloc="", path="/" + asked.path.lstrip("/"), query=urlencode(rest)).geturl()
