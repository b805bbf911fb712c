"""What stands between a client and a server of ClickHouse, and does to requests what networks do."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote_plus, urlsplit

PASS, SWALLOW, CUT, STALL = "pass", "swallow", "cut", "stall"
"""Let through; let through and lose the answer; lose the second half of it; let it through and answer too late."""


class Proxy:
    """Forwards requests to a server.

    Attributes:
        fault: Says of each statement what happens to it; `PASS` by default.
        delay: Seconds that every request takes longer.
        refuses: Whether it hangs up on everybody, as where no server is.
        seen: What was asked, and what was done to it.
    """

    def __init__(self, port):
        self.fault = lambda statement: PASS
        self.delay, self.refuses, self.seen = 0.0, False, []
        self.late = 2.0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(port))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self):
        return self._server.server_address[1]

    def dsn(self, timeout=300):
        return f"clickhouse://127.0.0.1:{self.port}/default?timeout={timeout}"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def count(self, fault):
        return sum(done == fault for _, done in self.seen)

    def _handler(proxy, port):  # noqa: N805 - its class calls itself self
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                if proxy.refuses:
                    self.close_connection = True
                    return
                body = self._body()
                statement = _statement(self.path, body)
                fault = proxy.fault(statement)
                proxy.seen.append((statement, fault))
                time.sleep(proxy.delay)
                if fault == CUT:
                    _half(port, self.command, self.path, self.headers, body)
                    self.close_connection = True
                    return
                status, headers, answer = _ask(port, self.command, self.path, self.headers, body)
                if fault == SWALLOW:
                    self.close_connection = True
                    return
                if fault == STALL:
                    time.sleep(proxy.late)
                self._answer(status, headers, answer)

            do_GET = do_POST  # noqa: N815 - as http.server names it

            def _body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                pieces = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)

            def _answer(self, status, headers, answer):
                try:
                    self.send_response(status)
                    for name, value in headers:
                        if name.lower() not in {"transfer-encoding", "content-length", "connection", "date", "server"}:
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    self.close_connection = True  # who asked has gone

            def log_message(self, *_):
                """Say nothing."""

        return Handler


def _statement(path, body):
    """Give what is asked, with its values: some of it stands in the address, some in the body."""
    asked = unquote_plus(urlsplit(path).query)
    return f"{asked} {body[:300].decode(errors='replace')}"


def _kept(headers):
    dropped = {"transfer-encoding", "content-length", "host", "connection"}
    return {name: value for name, value in headers.items() if name.lower() not in dropped}


def _ask(port, method, path, headers, body):
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    asked.request(method, path, body=body, headers=_kept(headers))
    answer = asked.getresponse()
    content = answer.read()
    asked.close()
    return answer.status, answer.getheaders(), content


def _half(port, method, path, headers, body):
    """Send half of a request, and hang up."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    asked.putrequest(method, path)
    for name, value in {**_kept(headers), "Content-Length": str(len(body))}.items():
        asked.putheader(name, value)
    asked.endheaders()
    asked.send(body[: len(body) // 2])
    asked.close()


@contextmanager
def between(port):
    """Stand before the server at a port."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
