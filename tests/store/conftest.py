"""Live stores of every kind: what holds for one holds for all."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest

from workbench.store.live import LiveStore
from workbench.store.live_redis import RedisBlobs
from workbench.store.live_sqlite import SQLiteBlobs

SERVER = shutil.which("redis-server")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """The address of a Redis that keeps nothing."""
    if SERVER is None:
        pytest.skip("there is no redis-server here; `make test` installs it where it can")
    port = free_port()
    folder = tmp_path_factory.mktemp("redis")
    command = [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            answers(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def answers(port):
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


class Opener:
    """Opens the same place again, as another process does; and empty places, one after the other."""

    def __init__(self, kind, folder, request):
        self.kind, self.folder = kind, folder
        self.url = request.getfixturevalue("redis_server") if kind == "redis" else ""
        self.number = 0
        self.opened = []

    def __call__(self, policy=None, **options):
        if self.kind == "sqlite":
            blobs = SQLiteBlobs(self.folder / f"live-{self.number}.db", **options)
        else:
            prefix = f"{self.folder.name}-{self.number}"
            blobs = RedisBlobs(self.url, prefix=prefix, **options)
        self.opened.append(blobs)
        return LiveStore(blobs, policy)

    def elsewhere(self, policy=None):
        self.number += 1
        return self(policy)


@pytest.fixture(params=["sqlite", "redis"])
def opening(request, tmp_path):
    opener = Opener(request.param, tmp_path, request)
    yield opener
    for blobs in opener.opened:
        blobs.close()


@pytest.fixture
def live(opening):
    return opening()
