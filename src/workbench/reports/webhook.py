"""JSON to a webhook, and never to a machine of one's own network that the settings do not name.

The host is looked up once, all its addresses are checked, and the connection is made to one that was: an answer that
changes between the look and the connection leads nowhere else. Redirects are not followed.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import urllib3

from workbench.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.config import DeliverySettings

_GOOD: Final = range(200, 300)


def post(url: str, content: Mapping[str, object], settings: DeliverySettings) -> None:
    """Send JSON.

    Raises:
        DeliveryError: The host is not there, is private and not allowed, or answers with an error.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    try:
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        raise DeliveryError(f"a webhook of {host} has an impossible port") from error
    allowed = host in settings.private_hosts
    if not secure and not allowed:
        raise DeliveryError(f"a webhook of {host} must be https://, or its host be in `delivery.private_hosts`")
    address = _address(host, port, allowed=allowed)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    pool: urllib3.HTTPConnectionPool
    if secure:  # the certificate must be the name's, though the connection is made to its address
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=settings.timeout_seconds, retries=False, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=settings.timeout_seconds, retries=False)
    named = host if parts.port is None else f"{host}:{port}"
    try:
        answer = pool.request(
            "POST", path, body=json.dumps(dict(content)), redirect=False,
            headers={"Host": named, "Content-Type": "application/json", "User-Agent": "workbench"},
        )  # fmt: skip
    except urllib3.exceptions.HTTPError as error:
        raise DeliveryError(f"{host} does not answer: {type(error).__name__}") from error
    finally:
        pool.close()
    if answer.status not in _GOOD:
        raise DeliveryError(f"{host} answers {answer.status}")


def _address(host: str, port: int, *, allowed: bool) -> str:
    """Look a host up; every address that it has must be one that may be told."""
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"there is no host {host}") from error
    for address in sorted(found):
        if not allowed and not ipaddress.ip_address(address.partition("%")[0]).is_global:
            raise DeliveryError(
                f"{host} is {address}, an address of this machine or network: name the host in `delivery.private_hosts`"
            )
    return min(found, key=lambda address: (":" in address, address))
