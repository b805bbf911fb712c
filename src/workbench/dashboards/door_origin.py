"""Where a request for a page comes from: by one of our own pages or by hand, by a link elsewhere, or by no person.

A page elsewhere can make a browser ask for ours without being seen, in pictures, frames and prefetches, and each
would start a kernel. Browsers say so in `Sec-Fetch-*`, which no script can set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

Origin = Literal["own", "link", "refused"]
_OWN: Final = frozenset({"same-origin", "none"})
_AHEAD: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


def origin(headers: Mapping[str, str], host: str) -> Origin:
    """Classify a request by its headers.

    Args:
        headers: Of the request; names as `Sec-Fetch-Site`.
        host: By which the server was asked, with its port.

    Returns:
        `own` opens the page, `link` is asked whether to open it, `refused` is what nobody clicked on.

    >>> origin({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, "a.org")
    'refused'
    >>> origin({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, "a.org")
    'link'
    >>> origin({"Sec-Fetch-Site": "none"}, "a.org"), origin({}, "a.org")
    ('own', 'own')
    """
    if any("prefetch" in headers.get(name, "").lower() or "preview" in headers.get(name, "") for name in _AHEAD):
        return "refused"
    site = headers.get("Sec-Fetch-Site")
    if site is None:  # an old browser, or one that was asked by plain HTTP
        from_page = headers.get("Origin") or headers.get("Referer")
        return "own" if not from_page or urlsplit(from_page).netloc.lower() == host.lower() else "link"
    if site in _OWN:
        return "own"
    top = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    return "link" if top else "refused"
