"""What is counted of connections rather than of requests: failed TLS handshakes, how long client certificates last."""

from __future__ import annotations

import resource
import ssl
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kybern.gateway.http.client import Client

LIFETIMES = (0, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 345600, 604800, 2592000, 7776000, 15552000, 31104000)
NETSTAT = Path("/proc/self/net/netstat")
BYTES = {"InOctets": "process_network_receive_bytes", "OutOctets": "process_network_transmit_bytes"}


class Connections(set[Client]):
    """The open connections; what is remembered of those that have gone. `now` is in seconds since 1970."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self.handshakes = Handshakes()
        self._counts, self._total = [0] * (len(LIFETIMES) + 1), 0.0

    def discard(self, client: object) -> None:
        """One has gone."""
        if client in self and isinstance(client, Client):
            super().discard(client)
            _observe(self._counts, client, self._now())
            self._total += _lifetimes(client, self._now())

    def lifetimes(self) -> tuple[list[int], float]:
        """Requests by how long their client certificate lasts: by bucket, and the sum of seconds."""
        counts, total, now = self._counts[:], self._total, self._now()
        for client in list(self):
            _observe(counts, client, now)
            total += _lifetimes(client, now)
        return counts, total


def _observe(counts: list[int], client: Client, now: float) -> None:
    if client.certificate_ends:
        counts[bisect_left(LIFETIMES, client.certificate_ends - now)] += client.answered


def _lifetimes(client: Client, now: float) -> float:
    return client.answered * (client.certificate_ends - now) if client.certificate_ends else 0.0


class Handshakes:
    """Counts those that fail; the clients that leave meanwhile, too, once nothing is left of them."""

    def __init__(self) -> None:
        self.failed = 0

    def watch(self, context: ssl.SSLContext) -> None:
        """Count what goes wrong with handshakes of a server's context."""
        handshakes = self

        class Counted(ssl.SSLObject):
            ended = False

            def do_handshake(self) -> None:
                super().do_handshake()
                self.ended = True

            def __del__(self) -> None:
                if not self.ended:
                    handshakes.failed += 1

        context.sslobject_class = Counted


class ClientMetrics(Collector):
    """Kubernetes' names; and what the Go client library says of a process that Python's does not."""

    def __init__(self, connections: Connections, registry: CollectorRegistry) -> None:
        self._connections = connections
        registry.register(self)

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        about = "[ALPHA] TLS handshakes that failed."
        yield CounterMetricFamily("apiserver_tls_handshake_errors", about, value=self._connections.handshakes.failed)
        counts, total = self._connections.lifetimes()
        names = [*map(str, map(float, LIFETIMES)), "+Inf"]
        yield HistogramMetricFamily(
            "apiserver_client_certificate_expiration_seconds",
            "[ALPHA] For how long the certificate of a request was valid still.",
            buckets=list(zip(names, accumulate(counts), strict=True)),
            sum_value=total,
        )
        for name, value in octets().items():
            yield CounterMetricFamily(name, "Bytes over IP, of the whole network namespace.", value=value)
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        yield GaugeMetricFamily(
            "process_virtual_memory_max_bytes",
            "Most virtual memory that the process may have.",
            value=float(most) if most != resource.RLIM_INFINITY else float((1 << 64) - 1),
        )


def octets(netstat: Path = NETSTAT) -> dict[str, int]:
    """Bytes that the kernel has counted, by family; none where it does not count."""
    try:
        lines = netstat.read_text().splitlines()
    except OSError:
        return {}
    rows = [line.split() for line in lines if line.startswith("IpExt:")]
    found = dict(zip(rows[0], rows[1], strict=False)) if len(rows) == 2 else {}
    return {name: int(found[field]) for field, name in BYTES.items() if field in found}
