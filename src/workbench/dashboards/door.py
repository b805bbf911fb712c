"""The door of the dashboards: who may come in, how many at once, and to which kernel.

Voilà takes this class by its name, as it takes any identity provider of Jupyter. Every request passes `get_user`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from jupyter_server.auth import IdentityProvider
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError

from workbench import config
from workbench.dashboards.door_origin import origin

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

SESSION_DAYS: Final = 7
"""How long a login lasts at most, in a browser that is never closed."""

_MARK: Final = "wb-session"
"""Cookie by which a page knows that there is something to log out of; it opens nothing."""

_PAGE: Final = re.compile(r"/voila/render/.+")
_KERNEL: Final = re.compile(r"/(?:api/kernels|voila/api/shutdown|voila/execution)/([\w-]+)")


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


class Logout(JupyterHandler):
    """Ends a session: its cookie is worth nothing from then on, and its kernels end."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Log out, and ask for the token.

        Raises:
            HTTPError: 403 for a page elsewhere, which is not to log anybody out.
        """
        if origin(self.request.headers, self.request.host) != "own":
            raise HTTPError(403)
        await self.identity_provider.end_session(self)  # type: ignore[attr-defined] # it is a `Door`
        self.redirect(self.get_login_url() if self.login_available else self.base_url)

    @allow_unauthenticated
    async def post(self) -> None:
        """Log out, by a form."""
        await self.get()


class Door(IdentityProvider):
    """Lets visitors in: by a token where there is one, as many as there is room for, each to a kernel of their own."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - as Jupyter makes it
        settings = config.load().dashboards
        token = settings.token.get_secret_value() if settings.token else ""
        super().__init__(**given | {"token": token, "login_handler_class": Login, "logout_handler_class": Logout})
        self.cookie_options = {"samesite": "Lax", "expires_days": None}  # it ends with the browser
        self.get_secure_cookie_kwargs = {"max_age_days": SESSION_DAYS}
        self.visitors, self.kernels_per_browser = settings.visitors, settings.kernels_per_browser
        self._ended: set[str] = set()
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
        """Whether there is something to log out of."""
        return True

    def process_login_form(self, handler: RequestHandler) -> User | None:
        """Return somebody new where the token is right."""
        typed = handler.get_argument("password", default="", strip=False)
        return self.generate_anonymous_user(handler) if self._is_token(typed) else None

    async def get_user_token(self, handler: RequestHandler) -> User | None:
        """Return who brings the token along, in the address or in the header `Authorization`."""
        if not self._is_token(self.get_token(handler) or ""):
            return None
        return self.get_user_cookie(handler) or self.generate_anonymous_user(handler)

    def get_user_cookie(self, handler: RequestHandler) -> User | None:
        """Return who has a cookie of this server, unless they have logged out."""
        user: User | None = super().get_user_cookie(handler)  # type: ignore[assignment] # it does not wait
        return user if user and user.username not in self._ended else None

    def set_login_cookie(self, handler: RequestHandler, user: User) -> None:
        """Give a browser its cookie, and where a token is needed the mark by which a page shows how to log out."""
        super().set_login_cookie(handler, user)
        if self.auth_enabled:
            handler.set_cookie(_MARK, "1", path=handler.settings["base_url"], samesite="Lax")

    async def end_session(self, handler: RequestHandler) -> None:
        """Make the cookie of a browser worth nothing, and end its kernels."""
        user = self.get_user_cookie(handler)
        self.clear_login_cookie(handler)
        handler.clear_cookie(_MARK, path=handler.settings["base_url"])
        if user is not None:
            self._ended.add(user.username)
            await handler.settings["kernel_manager"].end_all_of(user.username)

    async def get_user(self, handler: RequestHandler) -> User | None:
        """Return who asks; answer right here where they are to wait, or to leave the token out of the address.

        Whoever brings a wrong token is answered after a while, however it is brought.

        Raises:
            HTTPError: 404 for a kernel of somebody else or a path that is none, 403 for a page that nobody clicked on.
        """
        user = await self._get_user(handler)
        if user is None and self._brings_something(handler):
            await asyncio.sleep(WRONG_SECONDS)
        if user is None or handler.request.method == "OPTIONS":
            return user
        handler.workbench_user = user.username  # type: ignore[attr-defined] # ours
        path = handler.request.path
        if "\0" in unquote(path):
            raise HTTPError(404)
        if kernel := _KERNEL.search(path):
            self._check_owner(kernel[1], user.username, handler.settings["kernel_manager"])
        elif handler.request.method == "GET" and "token" in handler.request.query_arguments:
            handler.redirect(_without_token(handler.request.uri))
        elif _PAGE.search(path):
            self._open_page(handler, user)
        return user

    def _is_token(self, text: str) -> bool:
        """Compare in the same time whatever the text is, its length included."""
        typed, token = (hashlib.sha256(each.encode("utf-8", "replace")).digest() for each in (text, self.token))
        return bool(self.token) and hmac.compare_digest(typed, token)

    def _brings_something(self, handler: RequestHandler) -> bool:
        return bool(
            self.get_token(handler)
            or handler.request.headers.get("Authorization")
            or handler.get_cookie(self.get_cookie_name(handler))
        )

    def _open_page(self, handler: RequestHandler, user: User) -> None:
        """Let a request start a kernel, or answer why it does not."""
        came = origin(handler.request.headers, handler.request.host)
        if came == "refused":
            raise HTTPError(403, "A page elsewhere asks for this one, and nobody clicked on it.")
        if came == "link":
            _answer(handler, "open.html", 200, address=_without_token(handler.request.uri))
        elif self._kernels_of(handler, user) >= self.kernels_per_browser:
            _answer(handler, "busy.html", 429, seconds=BUSY_SECONDS, own=self.kernels_per_browser)
        elif self._has_room(handler):
            _let_leave(handler, user)
        else:
            _answer(handler, "busy.html", 503, seconds=BUSY_SECONDS, own=0)

    def _kernels_of(self, handler: RequestHandler, user: User) -> int:
        own = [each for each in self._coming if getattr(each, "workbench_user", "") == user.username]
        started: int = handler.settings["kernel_manager"].count_of(user.username)
        return started + sum(map(_still_coming, own))

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


def _answer(handler: RequestHandler, template: str, status: int, **values: object) -> None:
    """Send a page that needs no kernel."""
    page = handler.settings["voila_jinja2_env"].get_template(template)
    handler.set_status(status)
    if "seconds" in values:
        handler.set_header("Retry-After", str(values["seconds"]))
    handler.set_header("Cache-Control", "no-store")
    handler.set_header("Vary", "Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest")
    handler.finish(page.render(base_url=handler.settings["base_url"], **values))


def _without_token(uri: str) -> str:
    asked = urlsplit(uri)
    rest = [(name, value) for name, value in parse_qsl(asked.query, keep_blank_values=True) if name != "token"]
    return asked._replace(scheme="", netloc="", path="/" + asked.path.lstrip("/"), query=urlencode(rest)).geturl()
