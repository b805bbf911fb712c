"""How a consumer is doing, for Prometheus: asked when it is scraped, on this machine only."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from workbench.ingest.status import Status

HOST: Final = "127.0.0.1"
STATES: Final = ("joining", "reading", "waiting", "paused", "stopped")


class _Numbers(Collector):
    """Reads the consumer's status."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Give the numbers of this moment."""
        status = self._status()
        for name, value, what in (
            ("messages", status.read, "Messages read and dealt with, rejected ones included."),
            ("events", status.events, "Events committed to history."),
            ("batches", status.batches, "Commits."),
            ("fenced", status.fenced, "Times that another process had a partition already."),
            ("reopened", status.reopened, "Times that the connection was made anew for a stuck partition."),
        ):
            yield CounterMetricFamily(f"workbench_stream_{name}", what, value=value)
        rejected = CounterMetricFamily("workbench_stream_rejected", "Messages that are no events.", labels=["reason"])
        for reason, count in sorted(status.rejected.items()):
            rejected.add_metric([reason], count)
        yield rejected
        for name, values, what in (
            ("lag", status.lag, "Messages of a partition that are not committed yet."),
            ("position", status.positions, "Offset up to which a partition is committed."),
        ):
            gauge = GaugeMetricFamily(f"workbench_stream_{name}", what, labels=["partition"])
            for source, value in sorted(values.items()):
                gauge.add_metric([source], value)
            yield gauge
        state = GaugeMetricFamily("workbench_stream_state", "1 for the state it is in.", labels=["state"])
        for each in STATES:
            state.add_metric([each], float(status.state == each))
        yield state
        trouble = "1 while the store cannot be written."
        yield GaugeMetricFamily("workbench_stream_trouble", trouble, value=float(status.trouble is not None))
        seconds = "Seconds from the fetch of the last batch until it was committed."
        yield GaugeMetricFamily("workbench_stream_batch_seconds", seconds, value=status.seconds)


@contextmanager
def served(status: Callable[[], Status], *, port: int) -> Iterator[int]:
    """Serve `/metrics` on this machine while the block runs; the port is returned, 0 picks a free one."""
    registry = CollectorRegistry()
    registry.register(_Numbers(status))
    server, thread = start_http_server(port, addr=HOST, registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
