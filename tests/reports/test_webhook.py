from __future__ import annotations

import gzip
import ipaddress
import resource
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports import hostile
from workbench.config import Settings
from workbench.errors import DeliveryError
from workbench.reports import webhook
from workbench.reports.private_addresses import is_public

OK = b"HTTP/1.1 200 OK\r\n"


def settings(**delivery):
    return Settings(delivery={"timeout_seconds": 1, "private_hosts": ("127.0.0.1",), **delivery}).delivery


def post(talk, **delivery):
    """Post to a server; return the complaint, the seconds, and what the server heard."""
    with hostile.server(talk) as (port, heard):
        began, why = time.monotonic(), ""
        try:
            webhook.post(f"http://127.0.0.1:{port}/x", {"text": "a"}, settings(**delivery))
        except DeliveryError as error:
            why = str(error)
        return why, time.monotonic() - began, heard


@pytest.mark.parametrize(
    "talk",
    [
        hostile.silent,
        hostile.dripping(b"HTTP/1.1 2"),
        hostile.dripping(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
        hostile.dripping(b"X-More: 1\r\n", 0.05, first=b"HTTP/1.1 103 Early Hints\r\n"),
    ],
    ids=["silent", "dripping status", "interim answers for ever", "headers for ever"],
)
def test_a_server_that_does_not_come_to_an_end_is_left_at_the_deadline(talk):
    why, seconds, _ = post(talk)
    assert "127.0.0.1 does not answer: no answer within 1 s" in why
    assert seconds < 2.5


@pytest.mark.parametrize(
    "talk",
    [
        hostile.dripping(b"a", 0.2, first=OK + b"Content-Length: 1000000\r\n\r\n"),
        hostile.dripping(b"X: 1\r\n", 0.2, first=OK),
        hostile.endless(OK + b"\r\n", b"a" * 65_536),
        hostile.endless(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(50 << 20))),
    ],
    ids=["dripping", "dripping headers", "endless", "bomb"],
)
def test_only_the_status_of_an_answer_is_read_whatever_follows(talk):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    why, seconds, _ = post(talk)
    assert (why, seconds < 1) == ("", True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


@pytest.mark.parametrize("head", [b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n", b"220 I am a mail server "])
def test_an_answer_that_never_becomes_a_status_is_read_no_further_than_its_bound(head):
    why, seconds, heard = post(hostile.endless(head, b"a" * 65_536), timeout_seconds=20)
    assert "BadStatusLine" in why
    assert seconds < 5
    assert heard[-1] < 30 << 20  # what fits into the buffers between the two, not what 20 seconds would take


def test_an_interim_answer_is_not_the_answer():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert post(hostile.answering(early + OK))[0] == ""
    assert "answers 500" in post(hostile.answering(early + b"HTTP/1.1 500 No\r\n"))[0]


def test_a_redirect_is_not_followed():
    why, _, heard = post(hostile.answering(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"))
    assert "answers 302" in why
    assert len(heard) == 1


def test_a_lookup_that_hangs_is_left_at_the_deadline(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(5) or [])
    began = time.monotonic()
    with pytest.raises(DeliveryError, match=r"hooks\.example\.com does not answer: no answer within 1 s"):
        webhook.post("https://hooks.example.com/x", {}, settings())
    assert time.monotonic() - began < 2.5


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    """A name that means another machine at the second look leads nowhere else: there is no second look."""
    looks, connections = [], []

    def look_up(host, port, **_):
        looks.append(host)
        address = "93.184.216.34" if len(looks) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address, timeout):
        del timeout
        connections.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(DeliveryError, match="does not answer"):
        webhook.post("https://rebinding.example.com/x", {}, settings())
    assert (looks, connections) == (["rebinding.example.com"], [("93.184.216.34", 443)])


PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.8.8.8", "168.63.129.16",  # noqa: S104
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::127.0.0.1", "100::1", "2001::1", "2001:0:1:2:3:4:80ff:fffe",
    "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "feff::1", "ff02::1", "ff0e::1",
    "2a00:1450:4001::5efe:10.0.0.1", "2a00:1450:4001::200:5efe:127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_within_a_network_of_ones_own_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]
)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_no_ipv4_address_gets_through_within_an_ipv6_address_of_transition(number):
    inner = ipaddress.IPv4Address(number)
    high, low = number >> 16, number & 0xFFFF
    teredo = f"2001:0:4136:e378:8000:63bf:{high ^ 0xFFFF:x}:{low ^ 0xFFFF:x}"
    for form in (f"::{inner}", f"::ffff:{inner}", f"64:ff9b::{inner}", f"2002:{high:x}:{low:x}::1", teredo):
        assert not is_public(form)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1.", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7f000001", "localhost.", "LOCALHOST",
        "\uff11\uff12\uff17.0.0.1", "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3", "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]", "[fec0::1]", "[ff02::1]", "224.0.0.1", "[::]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("port", ["", ":8080"])
def test_no_spelling_of_an_address_of_ones_own_gets_through(host, port):
    with pytest.raises(DeliveryError, match=r"delivery\.private_hosts"):
        webhook.post(f"https://{host}{port}/x", {}, Settings().delivery)


@pytest.mark.parametrize("url", ["https://a@b/", "https://b:c@d/", "https://[x/", "https://a\\b/", "https://:1/x"])
def test_a_host_that_can_be_read_in_two_ways_is_refused(url):
    with pytest.raises(DeliveryError, match="write https://host/path"):
        webhook.post(url, {}, Settings().delivery)


@pytest.mark.parametrize("named", ["localhost", "LOCALHOST.", "localhost."])
@pytest.mark.parametrize("written", ["localhost", "LocalHost", "localhost."])
def test_a_private_host_that_is_named_is_told_however_it_is_written(named, written):
    with hostile.server(hostile.answering(OK)) as (port, heard):
        webhook.post(f"http://{written}:{port}/caf\u00e9?q=1", {"text": "x"}, settings(private_hosts=(named,)))
    head = heard[0].decode().splitlines()
    assert head[0] == "POST /caf%C3%A9?q=1 HTTP/1.1"
    assert f"Host: localhost:{port}" in head
