"""Which IP addresses are on the public internet; a webhook goes to no others.

`ipaddress` alone is no answer: it takes multicast, site-local addresses and every IPv6 address that carries an IPv4
address within (NAT64, 6to4, IPv4-compatible) for global ones, and each leads into a private network.
"""

from __future__ import annotations

import ipaddress
from typing import Final

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is given to anybody for public use."""

_SPECIAL: Final = (
    ipaddress.ip_network("0.0.0.0/8"),
    ipaddress.ip_network("100.64.0.0/10"),  # carrier-grade NAT, and metadata services
    ipaddress.ip_network("168.63.129.16/32"),  # the host of a virtual machine of Azure
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments; metadata of Oracle's cloud
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("2001::/23"),  # Teredo, ORCHID, benchmarks
    ipaddress.ip_network("2001:db8::/32"),
    ipaddress.ip_network("2002::/16"),  # 6to4
    ipaddress.ip_network("3fff::/20"),
)
_ISATAP: Final = (0x5EFE, 0x0200_5EFE)
"""Upper half of an interface identifier whose lower half is an IPv4 address."""


def is_public(address: str) -> bool:
    """Tell whether an IP address, with a zone or without, is of the public internet.

    >>> is_public("93.184.216.34"), is_public("127.0.0.1"), is_public("64:ff9b::7f00:1"), is_public("224.0.0.1")
    (True, False, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if any(ip.version == network.version and ip in network for network in _SPECIAL):
        return False
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _UNICAST or _carries_private(ip)):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _carries_private(ip: ipaddress.IPv6Address) -> bool:
    """Tell whether it is an ISATAP address of a private IPv4 address."""
    identifier = int(ip) & (2**64 - 1)
    return identifier >> 32 in _ISATAP and not is_public(str(ipaddress.IPv4Address(identifier & (2**32 - 1))))
