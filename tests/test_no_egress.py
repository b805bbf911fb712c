from __future__ import annotations

import socket

import pytest


def test_the_suite_cannot_reach_another_machine():
    with socket.socket() as outside, pytest.raises(AssertionError, match=r"connection to 192\.0\.2\.1:80"):
        outside.connect(("192.0.2.1", 80))


def test_the_suite_can_reach_this_machine():
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
