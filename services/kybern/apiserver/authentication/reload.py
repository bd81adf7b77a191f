"""Configuration files followed: a changed file is read again, a wrong one changes nothing.

One follower for the AuthenticationConfiguration, one for the AuthorizationConfiguration, each with upstream's metrics.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kybern.apiserver.authentication.flags import read_structured

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

LOOK = 5.0  # seconds between looks at the file


class ReloadMetrics(Collector):
    """How often a file was read again, when last, and which one is in force."""

    def __init__(self, server: "ApiServer", subsystem: str) -> None:
        registry, labels = server.telemetry.registry, ("status", "apiserver_id_hash")
        self._now, self._id = server.clock.now, _hash(f"apiserver-{server.epoch}".encode())
        self._name, self._config = f"apiserver_{subsystem}", ""
        name = f"{self._name}_automatic_reload"
        self._total = Counter(f"{name}s", "Automatic reloads of the configuration", labels, registry=registry)
        self._last = Gauge(f"{name}_last_timestamp_seconds", "The last automatic reload", labels, registry=registry)
        registry.register(self)

    def count(self, status: str) -> None:
        """A reload that was a `success` or a `failure`."""
        self._total.labels(status, self._id).inc()
        self._last.labels(status, self._id).set(self._now().timestamp())

    def applied(self, data: bytes) -> None:
        """This is in force."""
        self._config = _hash(data)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For a scrape."""
        labels = ("apiserver_id_hash", "hash")
        info = GaugeMetricFamily(f"{self._name}_last_config_info", "The configuration in force", labels=labels)
        info.add_metric((self._id, self._config), 1)
        yield info


def _hash(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


class FileFollower(ABC):
    """`run` for the life of the server; subclasses say what becomes of a file that has changed."""

    flag: str
    subsystem: str

    def __init__(self, server: "ApiServer", path: Path) -> None:
        self._server = server
        self._path = path
        self._seen = path.read_bytes()
        self._metrics = ReloadMetrics(server, self.subsystem)
        self._metrics.applied(self._seen)

    @abstractmethod
    def take(self, data: bytes) -> str:
        """Put what the file says in force; what to log, "" for no change. Raises OSError, ValueError."""

    async def run(self) -> None:
        """Look until cancelled."""
        log = self._server.telemetry.log
        while True:
            await asyncio.sleep(LOOK)
            try:
                data = await asyncio.to_thread(self._path.read_bytes)
            except OSError as error:
                log.warning("--%s %s: %s", self.flag, self._path, error)
                self._metrics.count("failure")
                continue
            if data == self._seen:
                continue
            self._seen = data
            try:
                done = self.take(data)
            except (OSError, ValueError) as error:
                log.error("reading --%s again: %s; what was read before stays", self.flag, error)
                self._metrics.count("failure")
                continue
            if done:
                log.info("read --%s %s again: %s", self.flag, self._path, done)
                self._metrics.count("success")
                self._metrics.applied(data)


class ConfigurationFollower(FileFollower):
    """The AuthenticationConfiguration."""

    flag, subsystem = "authentication-config", "authentication_config_controller"

    def take(self, data: bytes) -> str:
        """See FileFollower."""
        configuration = read_structured(self._path, data)
        self._server.oidc.configure(configuration.issuers)
        self._server.authenticator.changed(configuration.anonymous)
        return f"{len(configuration.issuers)} issuers"
