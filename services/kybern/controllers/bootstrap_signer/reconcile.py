"""Two loops over the bootstrap tokens: one signs kube-public/cluster-info, one deletes what has expired."""

import asyncio
import math

from kybern.client.controller import Controller, RequeueAfter
from kybern.client.informer import SharedInformer, each
from kybern.client.resources import CONFIG_MAPS, SECRETS
from kybern.controllers.bootstrap_signer.core import TYPE, expiration, is_expired, signed_data, signing_token
from kybern.controllers.context import Context
from kybern.controllers.core.config_maps import CLUSTER_INFO
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import allowing

SIGNER, CLEANER = "bootstrap-signer-controller", "token-cleaner-controller"
TOKENS_NAMESPACE, KEY = "kube-system", f"kube-public/{CLUSTER_INFO}"


def tokens(context: Context) -> SharedInformer:
    """The Secrets that are bootstrap tokens; all others are nobody's business here."""
    return SharedInformer(
        context.client,
        SECRETS,
        context.random,
        context.telemetry,
        namespace=TOKENS_NAMESPACE,
        field_selector=f"type={TYPE}",
    )


class BootstrapSigner:
    """One key only: cluster-info."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._secrets = tokens(context)
        self._configs = context.informer(CONFIG_MAPS)
        self._loop = Controller(SIGNER, self.reconcile, context.telemetry, workers=1)
        self._secrets.add_handler(each(lambda secret: self._loop.queue.add(KEY)))
        self._configs.add_handler(each(self._config_changed))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._secrets.run())
            await self._secrets.wait_for_sync()
            await self._context.synced(CONFIG_MAPS)
            tasks.create_task(self._loop.run())

    def _config_changed(self, config: Object) -> None:
        if meta.name(config) == CLUSTER_INFO and meta.key(config) == KEY:
            self._loop.queue.add(KEY)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        config, now = self._configs.get(key), self._context.clock.now()
        if config is None:
            return None
        secrets = self._secrets.store.list()
        found = [token for secret in secrets if (token := signing_token(secret, now)) is not None]
        data = signed_data(config.get("data") or {}, found)
        if data != (config.get("data") or {}):
            await self._context.client.update(CONFIG_MAPS, {**config, "data": data})
        ends = [e for s in secrets if not is_expired(s, now) and (e := expiration(s)) is not None]
        return RequeueAfter((min(ends) - now).total_seconds()) if ends else None


class TokenCleaner:
    """One key is one Secret."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._secrets = tokens(context)
        self._loop = Controller(CLEANER, self.reconcile, context.telemetry, workers=1)
        self._secrets.add_handler(each(lambda secret: self._loop.queue.add(meta.key(secret))))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._secrets.run())
            await self._secrets.wait_for_sync()
            tasks.create_task(self._loop.run())

    async def reconcile(self, key: str) -> RequeueAfter | None:
        secret, now = self._secrets.get(key), self._context.clock.now()
        if secret is None:
            return None
        if not is_expired(secret, now):
            end = expiration(secret)
            return RequeueAfter(max(0.0, math.ceil((end - now).total_seconds()))) if end is not None else None
        with allowing(404, 409):
            namespace, name = meta.split_key(key)
            await self._context.client.delete(SECRETS, name, namespace, uid=meta.uid(secret))
        return None
