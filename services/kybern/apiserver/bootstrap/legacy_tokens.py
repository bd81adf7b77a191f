"""What is written about legacy ServiceAccount tokens: since when their uses are noted, and when one was last used."""

import asyncio
from typing import TYPE_CHECKING, Any

from kybern.apiserver.core.user import MASTERS, User
from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube import legacy_tokens, meta
from kybern.kube.legacy_tokens import LAST_USED, SINCE, TRACKING
from kybern.kube.status import StatusError

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
SELF = User("system:apiserver", (MASTERS,))
BETWEEN = 1800.0  # seconds between two that are made: apiservers that disagree do not fight
AGAIN = 1.0


def _request(server: "ApiServer", verb: str, resource: str, namespace: str, name: str) -> Request:
    served = server.table.find("", "v1", resource)
    request = Request(server, SELF, verb, served, namespace, name, field_manager="kybern")
    request.unasked = True
    return request


async def mark_used(server: "ApiServer", namespace: str, name: str, uid: str, day: str) -> None:
    """The label that tells the day of the last use; what cannot be written is logged."""

    async def produce(current: Object) -> Object:
        if meta.uid(current) != uid:
            return current
        labels = {**meta.labels(current), LAST_USED: day}
        return {**current, "metadata": {**current["metadata"], "labels": labels}}

    try:
        await change(_request(server, "patch", "secrets", namespace, name), produce)
    except StatusError as error:
        server.telemetry.log.warning("cannot note the use of the token in secret %s/%s: %s", namespace, name, error)


class TokenTracking:
    """Keeps the ConfigMap that tells the day from which on uses are noted."""

    def __init__(self, server: "ApiServer") -> None:
        self._server = server
        self._wake = asyncio.Event()
        self._wake.set()
        self._cacher = server.table.cacher("", "configmaps")
        self._cacher.listeners.append(self._follow)

    def _follow(self, event: CacheEvent) -> None:
        if (event.entry.namespace, event.entry.name) == TRACKING:
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        loop, due = asyncio.get_running_loop(), 0.0
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if self._cacher.get(*TRACKING) is not None:
                    await self._correct()
                elif loop.time() >= due:
                    await self._make()
                    due = loop.time() + BETWEEN
                else:
                    loop.call_at(due, self._wake.set)
            except StatusError as error:
                self._server.telemetry.log.warning("configmap %s/%s: %s", *TRACKING, error)
                loop.call_later(AGAIN, self._wake.set)

    def _today(self) -> str:
        return str(self._server.clock.now().date())

    async def _make(self) -> None:
        namespace, name = TRACKING
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}
        try:
            await create_object(
                _request(self._server, "create", "configmaps", *TRACKING), {**made, "data": {SINCE: self._today()}}
            )
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _correct(self) -> None:
        entry = self._cacher.get(*TRACKING)
        if entry is None or legacy_tokens.day((entry.decode().get("data") or {}).get(SINCE)) is not None:
            return

        async def produce(current: Object) -> Object:
            return {**current, "data": {**(current.get("data") or {}), SINCE: self._today()}}

        try:
            await change(_request(self._server, "update", "configmaps", *TRACKING), produce)
        except StatusError as error:
            if error.code not in (404, 409):
                raise
