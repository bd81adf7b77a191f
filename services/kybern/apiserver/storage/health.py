"""Whether the store answers, as the gRPC health service `etcd` (upstream's name for the check, whatever the store);
the gateway shows it in /readyz. KMS plugins have one each: `kms-providers`, together.
"""

import asyncio
from typing import Any

from grpc_health.v1 import health_pb2

from kybern.store.contract import Store
from kybern.store.encryption import EncryptedStore
from kybern.store.errors import StoreUnavailable
from kybern.telemetry import Telemetry

CHECK, PLUGINS = "etcd", "kms-providers"
LOOK = 1.0  # seconds between checks
PATIENCE = 2.0  # seconds that an answer may take, as upstream
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


async def follow_health(store: Store, wire: Any, telemetry: Telemetry) -> None:
    """Keep what the server's health service says of the store up to date."""
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
            before = found
        await asyncio.sleep(LOOK)


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
