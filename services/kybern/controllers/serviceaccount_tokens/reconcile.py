"""Two loops, over token Secrets and over the accounts they are for; and the cleaner, which looks once a day."""

import asyncio
from datetime import timedelta

from kybern.client.controller import Controller
from kybern.client.informer import EventHandler, SharedInformer
from kybern.client.resources import CONFIG_MAPS, PODS, SECRETS, SERVICE_ACCOUNTS
from kybern.controllers.context import Context
from kybern.controllers.serviceaccount_tokens import core
from kybern.kube import legacy_tokens, meta
from kybern.kube.duration import parse_go
from kybern.kube.legacy_tokens import INVALID_SINCE, TYPE
from kybern.kube.meta import Object
from kybern.kube.status import StatusError

NAME, CLEANER = "serviceaccount-token-controller", "legacy-serviceaccount-token-cleaner-controller"
EVERY = timedelta(hours=24)


def token_secrets(context: Context) -> SharedInformer:
    """The Secrets that hold tokens of accounts; all others are nobody's business here."""
    return SharedInformer(context.client, SECRETS, context.random, context.telemetry, field_selector=f"type={TYPE}")


class ServiceAccountTokens:
    """Without a key to sign with it does nothing, and says so."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._keys = context.token_keys
        if self._keys is None:
            return
        self._secrets = token_secrets(context)
        self._accounts = context.informer(SERVICE_ACCOUNTS)
        self._gone: dict[str, Object] = {}  # Secrets whose references are still to be removed
        self._loop = Controller(NAME, self.reconcile, context.telemetry, workers=5)
        self._account_loop = Controller(f"{NAME}-accounts", self.reconcile_account, context.telemetry, workers=5)
        queue = self._loop.queue
        self._secrets.add_handler(
            EventHandler(
                on_add=lambda new: queue.add(meta.key(new)),
                on_update=lambda old, new: queue.add(meta.key(new)),
                on_delete=lambda old, unknown: self._deleted(old),
            )
        )
        self._accounts.add_handler(EventHandler(on_delete=lambda old, unknown: self._account_deleted(old)))

    def _deleted(self, secret: Object) -> None:
        self._gone[meta.key(secret)] = secret
        self._loop.queue.add(meta.key(secret))

    def _account_deleted(self, account: Object) -> None:
        self._account_loop.queue.add(f"{meta.key(account)}/{meta.uid(account)}")

    async def run(self) -> None:
        if self._keys is None:
            self._context.telemetry.log.info(
                "--service-account-private-key-file is not given: no token Secret is filled"
            )
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._secrets.run())
            await self._secrets.wait_for_sync()
            await self._context.synced(SERVICE_ACCOUNTS)
            tasks.create_task(self._loop.run())
            tasks.create_task(self._account_loop.run())

    async def reconcile_account(self, key: str) -> None:
        """The tokens of an account that is gone go, too."""
        namespace, name, uid = key.split("/")
        if core.same_account(self._accounts.get(f"{namespace}/{name}"), uid):
            return
        for secret in self._secrets.store.list():
            if core.is_token_of(secret, namespace, name, uid):
                await self._delete(secret)

    async def reconcile(self, key: str) -> None:
        secret = self._secrets.get(key)
        if secret is None:
            gone = self._gone.get(key)
            if gone is not None:
                await self._remove_reference(gone)
                self._gone.pop(key, None)
            return
        self._gone.pop(key, None)
        name, uid = legacy_tokens.account_of(secret)
        if not name:
            return
        account = await self._account(meta.namespace(secret), name, uid)
        if account is None:
            await self._delete(secret)
        else:
            await self._fill(secret, account)

    async def _account(self, namespace: str, name: str, uid: str) -> Object | None:
        """The account, asked for if it is not among those seen: a Secret is not deleted for news that is late."""
        found = self._accounts.get(f"{namespace}/{name}")
        if not core.same_account(found, uid):
            try:
                found = await self._context.client.get(SERVICE_ACCOUNTS, name, namespace)
            except StatusError as error:
                if error.code != 404:
                    raise
                return None
        return found if core.same_account(found, uid) else None

    async def _fill(self, secret: Object, account: Object) -> None:
        assert self._keys is not None
        new = core.filled(secret, account, self._context.root_ca, self._keys.sign)
        if new is None:
            return
        try:
            await self._context.client.update(SECRETS, new)
        except StatusError as error:
            if error.code not in (404, 409):  # changed meanwhile: that change brings the Secret here again
                raise

    async def _delete(self, secret: Object) -> None:
        try:
            await self._context.client.delete(SECRETS, meta.name(secret), meta.namespace(secret), uid=meta.uid(secret))
        except StatusError as error:
            if error.code not in (404, 409):
                raise

    async def _remove_reference(self, secret: Object) -> None:
        namespace, (name, uid) = meta.namespace(secret), legacy_tokens.account_of(secret)
        if not core.same_account(self._accounts.get(f"{namespace}/{name}"), uid):
            return
        try:
            account = await self._context.client.get(SERVICE_ACCOUNTS, name, namespace)
            if core.same_account(account, uid) and legacy_tokens.refers_to(account, meta.name(secret)):
                await self._context.client.update(SERVICE_ACCOUNTS, core.without_reference(account, meta.name(secret)))
        except StatusError as error:
            if error.code != 404:
                raise


class LegacyTokenCleaner:
    """Marks tokens that were made unasked and are not used; deletes them when nobody has missed them for as long."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._period = parse_go(context.options.legacy_service_account_token_clean_up_period)
        self._secrets = token_secrets(context)
        self._accounts = context.informer(SERVICE_ACCOUNTS)
        self._pods = context.informer(PODS)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._secrets.run())
            await self._secrets.wait_for_sync()
            await self._context.synced(SERVICE_ACCOUNTS, PODS)
            while True:
                try:
                    await self.clean()
                except (StatusError, ValueError) as error:
                    self._context.telemetry.log.warning("%s: %s", CLEANER, error)
                await asyncio.sleep(EVERY.total_seconds())

    async def clean(self) -> None:
        """Look at every token Secret. Raises StatusError, ValueError."""
        namespace, name = legacy_tokens.TRACKING
        now, client = self._context.clock.now(), self._context.client
        if not core.tracked_long_enough(await client.get(CONFIG_MAPS, name, namespace), now, self._period):
            return
        pods = self._pods.store.list()
        mounted = {(meta.namespace(pod), found) for pod in pods for found in core.secret_names(pod)}
        for secret in self._secrets.store.list():
            key = (meta.namespace(secret), meta.name(secret))
            account_name, uid = legacy_tokens.account_of(secret)
            account = self._accounts.get(f"{key[0]}/{account_name}")
            found = account if core.same_account(account, uid) else None
            decision = core.decide_unused(secret, found, key in mounted, now, self._period)
            try:
                await self._apply(secret, decision)
            except StatusError as error:
                if error.code not in (404, 409):
                    self._context.telemetry.log.warning("%s %s/%s: %s", CLEANER, *key, error)

    async def _apply(self, secret: Object, decision: core.Invalidate | core.Remove | None) -> None:
        namespace, name, client = meta.namespace(secret), meta.name(secret), self._context.client
        if isinstance(decision, core.Invalidate):
            metadata = {"uid": meta.uid(secret), "labels": {INVALID_SINCE: decision.since}}
            await client.patch(SECRETS, name, namespace, patch={"metadata": metadata})
        elif isinstance(decision, core.Remove):
            await client.delete(SECRETS, name, namespace, resource_version=meta.resource_version(secret))
