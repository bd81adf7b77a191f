"""Audit events sent to a webhook, many in one EventList; a batch that fails is tried again with back-off, then lost."""

import asyncio
import logging
from dataclasses import dataclass

from kybern.apiserver.webhooks.client import CallFailed, WebhookClient
from kybern.apiserver.webhooks.kubeconfig import Remote

HEAD = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
TIMEOUT = 30.0  # seconds of one request
LAST_TIMEOUT = 2.0  # seconds of a request at the end
ATTEMPTS = 5


@dataclass(frozen=True)
class Batching:
    """As upstream's flags --audit-webhook-batch-*."""

    most_waiting: int = 10_000
    most: int = 400  # events of one batch
    wait: float = 30.0  # seconds that a batch may wait to be full
    backoff: float = 10.0  # seconds before the second attempt; doubled each time


class WebhookBackend:
    """`take` never waits; what does not fit is lost and counted."""

    def __init__(self, remote: Remote, batching: Batching, client: WebhookClient, log: logging.Logger) -> None:
        self.lost = 0
        self._remote = remote
        self._batching = batching
        self._client = client
        self._log = log
        self._lines: list[bytes] = []
        self._something = asyncio.Event()
        self._full = asyncio.Event()

    async def settled(self) -> None:
        """Nobody waits for batches."""

    def take(self, line: bytes) -> None:
        """Queue an event."""
        if len(self._lines) >= self._batching.most_waiting:
            self.lost += 1
            return
        self._lines.append(line)
        self._something.set()
        if len(self._lines) >= self._batching.most:
            self._full.set()

    async def run(self) -> None:
        """Send until cancelled, then what is left, once."""
        try:
            while True:
                await self._something.wait()
                if not self._full.is_set():
                    await self._until_full()
                await self._send(self._next())
        finally:
            while self._lines:
                await self._last(self._next())

    async def _until_full(self) -> None:
        try:
            async with asyncio.timeout(self._batching.wait):
                await self._full.wait()
        except TimeoutError:
            pass

    def _next(self) -> list[bytes]:
        most = self._batching.most
        batch, self._lines = self._lines[:most], self._lines[most:]
        if not self._lines:
            self._something.clear()
        if len(self._lines) < most:
            self._full.clear()
        return batch

    async def _send(self, batch: list[bytes]) -> None:
        """Try until it succeeds, or too often; a batch that is cut short goes back to the others."""
        seconds = self._batching.backoff
        try:
            for attempt in range(ATTEMPTS):
                if attempt:
                    await asyncio.sleep(seconds)
                    seconds *= 2
                if await self._post(batch, TIMEOUT):
                    return
        except asyncio.CancelledError:
            self._lines[:0] = batch
            raise
        self.lost += len(batch)

    async def _last(self, batch: list[bytes]) -> None:
        if not await self._post(batch, LAST_TIMEOUT):
            self.lost += len(batch) + len(self._lines)
            self._lines.clear()

    async def _post(self, batch: list[bytes], seconds: float) -> bool:
        body = HEAD + b",".join(batch) + b"]}"
        try:
            await self._client.post(self._remote.target, body, seconds, self._remote.credentials)
        except CallFailed as error:
            self._log.warning("audit webhook: %s", error)
            return False
        return True
