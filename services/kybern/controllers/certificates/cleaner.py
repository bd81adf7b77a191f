"""csrcleaner: requests that are decided, or that nobody decides, are deleted after a while."""

import asyncio

from kybern.client.resources import CERTIFICATE_SIGNING_REQUESTS
from kybern.controllers.certificates.core.age import is_outdated
from kybern.controllers.context import Context
from kybern.kube import meta
from kybern.kube.status import StatusError

NAME = "certificatesigningrequest-cleaner-controller"
PERIOD = 60.0  # seconds


class Cleaner:
    """Looks at all requests once a minute."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._requests = context.informer(CERTIFICATE_SIGNING_REQUESTS)

    async def run(self) -> None:
        await self._context.synced(CERTIFICATE_SIGNING_REQUESTS)
        while True:
            await self._clean()
            await asyncio.sleep(PERIOD)

    async def _clean(self) -> None:
        now = self._context.clock.now()
        for request in self._requests.store.list():
            if not is_outdated(request, now):
                continue
            try:
                name, uid = meta.name(request), meta.uid(request)
                await self._context.client.delete(CERTIFICATE_SIGNING_REQUESTS, name, uid=uid)
            except StatusError as error:
                if error.code not in (404, 409):
                    log = self._context.telemetry.log
                    log.warning("%s %s: %s", NAME, meta.name(request), error, extra={"key": meta.name(request)})
