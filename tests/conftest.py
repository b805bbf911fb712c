"""The whole suite runs under a guard: a connection to anything but this machine fails the test that makes it."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import HealthCheck, settings

from tests import clickhouse_server as houses
from tests import kafka_broker

# The same examples on every run, so that a red suite is about the change at hand; new ones are looked for with
# HYPOTHESIS_PROFILE=search, as long as one has patience.
settings.register_profile(
    "workbench", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("search", settings.get_profile("workbench"), derandomize=False, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "workbench"))

LOCAL = ("127.", "localhost", "::1")
_connect = socket.socket.connect


def _guarded(self, address):
    if self.family in {socket.AF_INET, socket.AF_INET6} and not str(address[0]).startswith(LOCAL):
        raise AssertionError(f"a connection to {address[0]}:{address[1]} was tried; nothing may leave this machine")
    return _connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def no_egress():
    socket.socket.connect = _guarded
    yield
    socket.socket.connect = _connect


@pytest.fixture(scope="session")
def broker():
    """Give the broker of this session; every test takes a topic of its own."""
    try:
        started = kafka_broker.broker()
    except kafka_broker.NoBroker as error:
        pytest.skip(f"no Kafka broker: {error}")
    yield started
    started.close()


@pytest.fixture(scope="session")
def clickhouse_server():
    """Give the ClickHouse server of this session, over HTTP; every test leaves it empty."""
    try:
        started = houses.server()
    except houses.NoServer as error:
        pytest.skip(f"no ClickHouse server: {error}")
    yield started
    started.close()


def pytest_report_header():
    return [f"kafka: {kafka_broker.chosen()}", f"clickhouse: {houses.chosen()}"]
