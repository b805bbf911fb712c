"""Connections with a deadline for everything together: lookup, connecting, sending and the whole answer.

A timeout of a socket starts anew with every byte, so that a server that sends one byte a second holds its caller for
ever. Here a timer ends the connection, whatever it is doing.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from workbench.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_CONNECTION: Final = "no connection"


class Deadline:
    """An instant by which a delivery must be over."""

    def __init__(self, seconds: float) -> None:
        """Start the clock.

        Args:
            seconds: From now.
        """
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: It has passed.
        """
        remaining = self._end - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"no answer within {self.seconds:g} s")
        return remaining

    @property
    def passed(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self._end

    @contextmanager
    def over(self, connection: socket.socket) -> Iterator[None]:
        """End a connection when the deadline passes within the block.

        The timer holds a copy of the descriptor: TLS takes over the original, and the copy ends both.
        """
        seconds, ended = self.remaining, connection.dup()

        def end() -> None:
            with suppress(OSError):  # closed by the other side meanwhile
                ended.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            ended.close()


def addresses(host: str, port: int, deadline: Deadline) -> list[str]:
    """Look up the IP addresses of a host.

    The system's lookup knows no timeout: it runs in a thread that is left alone when the deadline passes.

    Returns:
        At least one, IPv4 first.

    Raises:
        DeliveryError: There is no such host.
        TimeoutError: The lookup takes longer than the deadline.
    """
    results: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            results.put(sorted({str(info[4][0]) for info in infos}, key=lambda address: (":" in address, address)))
        except (OSError, UnicodeError) as error:
            results.put(error)

    threading.Thread(target=look_up, name="workbench-lookup", daemon=True).start()
    try:
        result = results.get(timeout=deadline.remaining)
    except queue.Empty as error:
        raise TimeoutError(f"no address of {host} within {deadline.seconds:g} s") from error
    if isinstance(result, Exception) or not result:
        raise DeliveryError(f"there is no host {host}") from (result if isinstance(result, Exception) else None)
    return result


def connect(hosts: list[str], port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first of several addresses that answers.

    Args:
        hosts: IP addresses, as `addresses` returns them: nothing is looked up again.
        port: Of each.
        deadline: For all attempts together.

    Raises:
        OSError: None answers; `TimeoutError` if none does by the deadline.
    """
    problem: OSError = ConnectionError(_NO_CONNECTION)
    for left, host in zip(range(len(hosts), 0, -1), hosts, strict=True):
        try:
            connection = socket.create_connection((host, port), timeout=deadline.remaining / left)
        except OSError as error:
            problem = error
            continue
        connection.settimeout(deadline.seconds)
        return connection
    raise problem
