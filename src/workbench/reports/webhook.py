"""JSON to a webhook, and never to a machine of one's own network that the settings do not name.

The host is looked up once, all its addresses are checked, and the connection is made to one that was checked: an
answer that changes between check and connection leads nowhere else. Of the answer only the status is read: redirects
are not followed, headers and content are left where they are, however long or packed.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from workbench.errors import DeliveryError
from workbench.reports import connection
from workbench.reports.connection import Deadline
from workbench.reports.private_addresses import is_public

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

    from workbench.config import DeliverySettings

MAX_ANSWER: Final = 64 << 10
"""Bytes that are read of an answer, interim answers included, until there is a status."""

_KEPT: Final = "!$%&'()*+,/:;=?@[]~"
"""Letters of a path that are sent as they are; others are percent-encoded."""

_GOOD: Final = range(200, 300)
_INTERIM: Final = range(100, 200)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?\r?\n?")
_HOST: Final = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+(%[a-z0-9_.-]+)?")


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a webhook is.

    Attributes:
        host: In ASCII, lower case, without a dot at its end.
        port: Of the host.
        secure: Whether by TLS.
        path: With the query.
        named_port: Whether the URL names the port.
    """

    host: str
    port: int
    secure: bool
    path: str
    named_port: bool


def target(url: str) -> Target:
    """Take a URL apart.

    Raises:
        DeliveryError: It has no host, an impossible one, or an impossible port.
    """
    try:
        parts = urlsplit(url)
        host = _plain(parts.hostname or "")
    except ValueError as error:  # an open bracket, a label that is too long
        raise DeliveryError("a webhook has an impossible host; write https://host/path") from error
    if not _HOST.fullmatch(host) or "@" in parts.netloc:
        raise DeliveryError("a webhook needs a host, and no user before it; write https://host/path")
    try:
        port = parts.port
    except ValueError as error:
        raise DeliveryError(f"a webhook of {host} has an impossible port") from error
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(
        host=host, port=port or (443 if secure else 80), secure=secure, path=quote(path, safe=_KEPT),
        named_port=port is not None,
    )  # fmt: skip


def post(url: str, content: Mapping[str, object], settings: DeliverySettings) -> None:
    """Send JSON, within `timeout_seconds` for everything together.

    Raises:
        DeliveryError: The host is not there, is private and not allowed, answers too late, or with an error.
    """
    to, deadline = target(url), Deadline(settings.timeout_seconds)
    allowed = to.host in {_plain(host) for host in settings.private_hosts}
    if not to.secure and not allowed:
        raise DeliveryError(f"a webhook of {to.host} must be https://, or its host be in `delivery.private_hosts`")
    try:
        status = _status(to, json.dumps(dict(content)).encode(), _checked(to, deadline, allowed=allowed), deadline)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = deadline.passed or isinstance(error, TimeoutError)
        why = f"no answer within {deadline.seconds:g} s" if late else f"{type(error).__name__}"
        raise DeliveryError(f"{to.host} does not answer: {why}") from error
    if status not in _GOOD:
        raise DeliveryError(f"{to.host} answers {status}")


def _checked(to: Target, deadline: Deadline, *, allowed: bool) -> list[str]:
    """Look a host up; every address that it has must be one that a webhook may have."""
    addresses = connection.addresses(to.host, to.port, deadline)
    for address in addresses:
        if not allowed and not is_public(address):
            raise DeliveryError(
                f"{to.host} is {address}, an address of this machine or network: name the host in "
                "`delivery.private_hosts`"
            )
    return addresses


def _status(to: Target, body: bytes, addresses: list[str], deadline: Deadline) -> int:
    plain = connection.connect(addresses, to.port, deadline)
    with plain, deadline.over(plain):
        stream = plain
        if to.secure:  # the certificate must be the host's, though the connection is made to its address
            stream = ssl.create_default_context().wrap_socket(plain, server_hostname=to.host)
        with stream:
            request = http.client.HTTPConnection(to.host, to.port)
            request.sock = stream
            headers = {
                "Host": _authority(to), "Content-Type": "application/json", "User-Agent": "workbench",
                "Accept-Encoding": "identity", "Connection": "close",
            }  # fmt: skip
            # A server may answer before it has read everything, and close: its status says what.
            with suppress(BrokenPipeError, ConnectionResetError):
                request.request("POST", to.path, body=body, headers=headers)
            with stream.makefile("rb") as answer:
                return _read_status(answer)


def _read_status(answer: BufferedReader) -> int:
    """Read the first line of an answer, and those after it only while the answer is an interim one."""
    left, status = MAX_ANSWER, 0
    while left > 0:
        line = answer.readline(left)
        left -= len(line)
        if not line:
            raise http.client.RemoteDisconnected("it closes the connection without a status")
        if status and line.strip():
            continue  # a header of an interim answer
        if status:
            status = 0
            continue
        match = _STATUS.fullmatch(line)
        if match is None:
            raise http.client.BadStatusLine("no status of HTTP")
        status = int(match[1])
        if status not in _INTERIM:
            return status
    raise http.client.BadStatusLine(f"no status in {MAX_ANSWER:,} bytes")


def _authority(to: Target) -> str:
    host = f"[{to.host}]" if ":" in to.host else to.host
    return f"{host}:{to.port}" if to.named_port else host


def _plain(host: str) -> str:
    """Return the form of a host that lookups, certificates and `private_hosts` are compared by."""
    host = host.strip().strip("[]").lower()
    return (host if ":" in host else host.encode("idna").decode("ascii")).removesuffix(".")
