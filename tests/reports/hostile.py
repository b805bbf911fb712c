"""Servers that hang, drip, never end, or answer with a bomb: each a thread at a free port of this machine."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress


@contextmanager
def server(talk):
    """Serve `talk(connection, stop)` for each that connects; give the port, and what they sent."""
    stop, heard, threads = threading.Event(), [], []

    def serve(connection):
        with connection, suppress(OSError):
            connection.settimeout(30)
            talk(connection, stop, heard)

    def accept(listener):
        while not stop.is_set():
            with suppress(TimeoutError):
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        accepting = threading.Thread(target=accept, args=(listener,))
        accepting.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            stop.set()
            for thread in (accepting, *threads):
                thread.join(35)


def dripping(text, every=0.2, *, first=b""):
    """Send a byte at a time, for as long as somebody listens."""

    def talk(connection, stop, heard):
        connection.sendall(first)
        heard.append(connection.recv(65_536) if not text.startswith(b"220") else b"")
        while not stop.is_set():
            for byte in text:
                connection.sendall(bytes([byte]))
                if stop.wait(every):
                    return

    return talk


def endless(head, block):
    """Send a head, then a block without end, as fast as it goes."""

    def talk(connection, stop, heard):
        if not head.startswith(b"220"):
            heard.append(connection.recv(65_536))
        connection.sendall(head)
        sent = 0
        while not stop.is_set():
            connection.sendall(block)
            sent += len(block)
            heard.append(sent)

    return talk


def silent(connection, stop, heard):
    """Say nothing."""
    del connection, heard
    stop.wait()


def answering(*answers):
    """Send the answers, one after each message, and be silent then."""

    def talk(connection, stop, heard):
        for answer in answers:
            heard.append(connection.recv(65_536))
            connection.sendall(answer)
        stop.wait()

    return talk
