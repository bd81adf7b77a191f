"""Repair: every Service has its claims, and every claim its Service.

Claims are written together with Services, so there is normally nothing to do; but a store may be older than claims, and
somebody may delete an IPAddress by hand. At the start, when an IPAddress goes, and every few minutes.
"""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from kybern.apiserver.registry.strategies import claims
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube.status import StatusError
from kybern.store.contract import Check, Delete, KeyValue, Put
from kybern.store.errors import StoreError

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

INTERVAL = 180.0  # seconds, as upstream's repair of node ports
SOON = 1.0  # seconds after an IPAddress was deleted
PAGE = 1000


class ClaimRepair:
    """Runs in every apiserver; several do no harm to each other, since each write compares."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self._wanted = asyncio.Event()

    def follow(self) -> None:
        """Look again soon after an IPAddress was deleted."""
        self._server.table.cacher(*claims.ADDRESSES).listeners.append(self._noticed)

    def _noticed(self, event: CacheEvent) -> None:
        if event.deleted:
            self._wanted.set()

    async def run(self) -> None:
        """For as long as the service lives."""
        while True:
            try:
                async with asyncio.timeout(INTERVAL):
                    await self._wanted.wait()
                await asyncio.sleep(SOON)
            except TimeoutError:
                pass
            self._wanted.clear()
            try:
                await self.repair()
            except (StoreError, StatusError) as error:
                self._server.telemetry.log.warning("claims of Services not looked through: %s", error)

    async def repair(self) -> None:
        """Make the claims that are missing, delete those that belong to no Service."""
        found = await self._port_claims()
        cacher = self._server.table.cacher("", "services")
        addresses = self._server.table.cacher(*claims.ADDRESSES).entries
        for entry in list(cacher.entries.values()):
            ips, ports = claims.used(entry.decode().get("spec") or {})
            missing = [
                claims.address_claim(self._server, ip, entry.namespace, entry.name) for ip in ips if ip not in addresses
            ]
            owner = orjson.dumps({"namespace": entry.namespace, "name": entry.name})
            missing += [Put(key, owner, 0) for port in ports if (key := claims.port_key(*port)) not in found]
            for claim in missing:
                await self._server.feed.commit([Check(cacher.prefix + entry.key, entry.revision), claim], None, "")
        for key, kv in found.items():
            await self._drop_orphan(key, kv)

    async def _port_claims(self) -> dict[str, KeyValue]:
        found: dict[str, KeyValue] = {}
        after = ""
        while True:
            page = await self._server.feed.store.range(claims.PORT_PREFIX, start_after=after, limit=PAGE)
            found.update((kv.key, kv) for kv in page.items)
            if not page.more:
                await self._server.feed.reached(page.revision)
                return found
            after = page.items[-1].key

    async def _drop_orphan(self, key: str, kv: KeyValue) -> None:
        cacher = self._server.table.cacher("", "services")
        try:
            owner: Any = orjson.loads(kv.value)
            suffix = f"{owner['namespace']}/{owner['name']}"
        except (ValueError, TypeError, KeyError):
            suffix = ""
        entry = cacher.entries.get(suffix)
        if entry is not None:
            ports = claims.used(entry.decode().get("spec") or {})[1]
            if key in {claims.port_key(*port) for port in ports}:
                return
        if suffix in cacher.unreadable:
            return
        checks = [Check(cacher.prefix + suffix, entry.revision if entry else 0)] if suffix else []
        await self._server.feed.commit([*checks, Delete(key, kv.mod_revision)], None, "")
