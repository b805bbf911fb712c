"""A real ClickHouse cluster of two shards for tests: two processes of the engine that `clickhouse_server` loads.

The engine is used as it is. As a library it has no queue of `ON CLUSTER` statements and takes no parts from other
replicas, so each shard has one replica, and a front before each node stands in for both: it runs a statement that says
`ON CLUSTER` on every node, with plain tables for replicated ones. A table that would be whole on every node is one of
the first node, which the second one reads and writes over the network.
"""

from __future__ import annotations

import http.client
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests import clickhouse_server
from tests.clickhouse_server import free_port, library, wait_for

CLUSTER = "analytics"
_ON_CLUSTER = re.compile(rb"\s+ON CLUSTER '?\w+'?")
_REPLICATED = re.compile(rb"ENGINE = Replicated(\w*MergeTree)\('([^']*)', '[^']*'(?:, )?")
_NOT_FORWARDED = {"transfer-encoding", "content-length", "host", "connection", "date", "server"}
_CONFIG = """<clickhouse>
<logger><level>warning</level><log>{folder}/server.log</log><errorlog>{folder}/error.log</errorlog></logger>
<remote_servers><analytics>{shards}</analytics><first>{first}</first></remote_servers>
<max_server_memory_usage>1500000000</max_server_memory_usage>
</clickhouse>"""
_SHARD = """<shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>{port}</port></replica></shard>"""


@dataclass
class Node:
    """One process of the engine, and the front before it.

    Attributes:
        port: Of HTTP.
        tcp_port: Of the protocol by which nodes speak to each other.
        folder: Its configuration, data and log.
    """

    port: int
    tcp_port: int
    folder: Path
    process: subprocess.Popen | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start it, again if need be, on the data it has."""
        command = [sys.executable, clickhouse_server.__file__, str(library()), str(self.port)]
        command += [str(self.folder / "data"), str(self.folder / "config.xml"), str(self.tcp_port)]
        with (self.folder / "output.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_for(self.port, self.process)

    def stop(self) -> None:
        """Kill it, as a crash does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(timeout=60)
            self.process = None


class TwoShards:
    """The cluster `analytics`: two nodes that answer.

    Attributes:
        nodes: One per shard.
        dsns: Address of each node, by the front that understands `ON CLUSTER`.
        spread: The statements `ON CLUSTER` that were run so far.
    """

    def __init__(self) -> None:
        """Start it, on free ports of this machine.

        Raises:
            NoServer: This machine has no engine.
        """
        library()
        self._folder = Path(tempfile.mkdtemp(prefix="workbench-shards-"))
        self.nodes = [Node(free_port(), free_port(), self._folder / str(number)) for number in (1, 2)]
        self._fronts: list[ThreadingHTTPServer] = []
        self.spread: list[str] = []
        try:
            for node in self.nodes:
                node.folder.mkdir()
                shards = [_SHARD.format(port=each.tcp_port) for each in self.nodes]
                config = _CONFIG.format(folder=node.folder, shards="".join(shards), first=shards[0])
                (node.folder / "config.xml").write_text(config)
                node.start()
                self._fronts.append(_front(node, self.nodes, self.spread))
        except BaseException:
            self.close()
            raise

    @property
    def dsns(self) -> list[str]:
        """Address of each node."""
        return [f"clickhouse://127.0.0.1:{front.server_address[1]}/default" for front in self._fronts]

    def close(self) -> None:
        """Stop the nodes, and remove what they wrote."""
        for front in self._fronts:
            front.shutdown()
            front.server_close()
        for node in self.nodes:
            node.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _front(node: Node, nodes: list[Node], spread: list[str]) -> ThreadingHTTPServer:
    """Listen before a node: hand requests on, and do what a server does with `ON CLUSTER`."""

    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._body()
            if not _ON_CLUSTER.search(body[:4_000]) or body.lstrip()[:6].upper() in {b"SELECT", b"INSERT"}:
                self._send(*self._forward(node, body))
                return
            spread.append(body.decode())
            answers = [self._forward(each, _local(body, whole=each is nodes[0])) for each in nodes]
            self._send(*next((answer for answer in answers if answer[0] != 200), answers[0]))

        do_GET = do_POST  # noqa: N815 - as http.server names it

        def _forward(self, to: Node, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", to.port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_FORWARDED}
            try:
                connection.request(self.command, self.path, body=body, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except OSError:
                return 502, [], b"no node"
            finally:
                connection.close()

        def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _NOT_FORWARDED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    front = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    front.daemon_threads = True
    threading.Thread(target=front.serve_forever, daemon=True).start()
    return front


def _local(statement: bytes, *, whole: bool) -> bytes:
    """Write a statement for one node: without `ON CLUSTER`, and with plain tables."""
    plain = _ON_CLUSTER.sub(b"", statement)
    engine = _REPLICATED.search(plain)
    if engine is None:
        return plain
    if b"/all/" in engine[2] and not whole:
        name = re.search(rb"IF NOT EXISTS (\w+)", plain)[1]
        return plain[: engine.start()] + b"ENGINE = Distributed('first', 'default', '" + name + b"')"
    plain = _REPLICATED.sub(rb"ENGINE = \1(", plain)
    return plain.replace(b"replicated_deduplication_window", b"non_replicated_deduplication_window")
