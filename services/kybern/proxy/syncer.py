"""From what the informers hold to what the kernel does: dirty Services, one transaction at a time.

A failed transaction changes nothing in the kernel; the whole table is then written anew after a pause.
"""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge, Histogram

from kybern.proxy.core.rules import Fragment
from kybern.proxy.core.transaction import Table
from kybern.proxy.nftables import Nftables, NftablesError
from kybern.telemetry import Telemetry

SETTLE = 0.005  # seconds between the first change and the transaction that takes it, so that bursts become one
RETRY = 1.0  # seconds after a transaction that failed


class Syncer:
    """Keeps one table right. `compute` gives the fragment of a Service by key (empty when it is gone).

    `forget` is called with the keys of Services whose rules have changed, to end flows that still follow the old ones.
    """

    def __init__(
        self,
        table: Table,
        nftables: Nftables,
        compute: Callable[[str], Fragment],
        telemetry: Telemetry,
        forget: Callable[[set[str]], Awaitable[None]] | None = None,
    ):
        self.table, self._nftables, self._compute, self._log = table, nftables, compute, telemetry.log
        self._forget = forget
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._whole = True
        self._writing = asyncio.Lock()
        registry = telemetry.registry
        buckets = [0.001 * 2**n for n in range(15)]
        name = "kubeproxy_sync_proxy_rules_duration_seconds"
        self._seconds = Histogram(name, "Time of a transaction", buckets=buckets, registry=registry)
        self._failures = Counter("kubeproxy_sync_proxy_rules_nftables_sync_failures", "Failures", registry=registry)
        self._last = Gauge("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "Last success", registry=registry)

    def mark(self, service: str) -> None:
        """A Service or one of its slices has changed."""
        self._dirty.add(service)
        self._wake.set()

    async def sync(self, *, whole: bool = False) -> int:
        """Bring the kernel up to date; the number of commands it took. Raises NftablesError."""
        async with self._writing:
            dirty, self._dirty = self._dirty, set()
            text = self.table.change({key: self._compute(key) for key in dirty})
            commands = self.table.whole() if whole or self._whole else text
            if not commands:
                return 0
            self._whole = True  # until the kernel has taken it: it may fail, or nobody wait for it any longer
            try:
                with self._seconds.time():
                    await asyncio.to_thread(self._nftables.run, commands)
            except NftablesError:
                self._failures.inc()
                raise
            self._whole = False
            self._last.set_to_current_time()
            if self._forget is not None and dirty:
                await self._forget(dirty)
            return commands.count("\n")

    async def run(self) -> None:
        """Sync after every change, until cancelled."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(SETTLE)
            self._wake.clear()
            try:
                await self.sync()
            except NftablesError as error:
                self._log.error("rules were not applied, trying again", extra={"error": str(error)})
                await asyncio.sleep(RETRY)
                self._wake.set()
