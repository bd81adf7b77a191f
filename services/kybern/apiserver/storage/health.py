"""Whether the store answers, as the gRPC health service `etcd` (upstream's name for the check, whatever the store);
the gateway shows it in /readyz. KMS plugins have one each: `kms-providers`, together.
"""

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2

from kybern.apiserver.storage.feed import Feed
from kybern.apiserver.storage.foreign import beneath
from kybern.kube.status import StatusError
from kybern.store.contract import Store
from kybern.store.encryption import EncryptedStore
from kybern.store.errors import StoreError, StoreUnavailable
from kybern.telemetry import Telemetry

CHECK, PLUGINS = "etcd", "kms-providers"
LOOK = 1.0  # seconds between checks
EVERY = 10  # checks between attempts to read what could not be read
PATIENCE = 2.0  # seconds that an answer may take, as upstream
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def follow_health(feed: Feed, wire: Any, telemetry: Telemetry) -> None:
    """Keep what the server's health service says of the store up to date; read what could not be read again when the
    KMS plugins are well."""
    store, rounds = beneath(feed.store), 0
    before: dict[str, str] = {}
    while True:
        if wire.health is not None:
            found = {CHECK: await _store(store)}
            if isinstance(store, EncryptedStore) and store.plugins():
                found[PLUGINS] = await _plugins(store)
            for name, wrong in found.items():
                if wrong != before.get(name):
                    (telemetry.log.error if wrong else telemetry.log.info)("check %s: %s", name, wrong or "ok")
                    await report(wire, name, wrong)
            rounds += 1
            recovered = PLUGINS in found and not found[PLUGINS] and before.get(PLUGINS)
            if recovered or (rounds % EVERY == 0 and not found.get(PLUGINS, "none")):
                await _read_again(feed, telemetry)
            before = found
        await asyncio.sleep(LOOK)


async def _read_again(feed: Feed, telemetry: Telemetry) -> None:
    try:
        await feed.read_again()
    except (StoreError, StatusError) as error:
        telemetry.log.warning("objects that could not be read are not tried again: %s", error)


async def report(wire: Any, name: str, wrong: str) -> None:
    """Let the health service of a server that has started say how a check went."""
    await wire.health.set(name, NOT_SERVING if wrong else SERVING)


async def _store(store: Store) -> str:
    """What is wrong, or nothing."""
    try:
        async with asyncio.timeout(PATIENCE):
            await store.revision()
    except StoreUnavailable as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {PATIENCE:g} s"
    return ""


async def _plugins(store: EncryptedStore) -> str:
    problems = []
    for plugin in store.plugins():
        try:
            await plugin.status()
        except StoreUnavailable as error:
            problems.append(str(error))
    return "; ".join(problems)
