"""Audit events sent to a webhook, many in one EventList; a batch that fails is tried again with back-off, then lost."""

import asyncio
import logging
from dataclasses import dataclass

import aiohttp

from kybern.apiserver.kubeconfig import Endpoint

HEAD = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
TIMEOUT = 30.0  # seconds of one request
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

    def __init__(self, endpoint: Endpoint, batching: Batching, log: logging.Logger) -> None:
        self.lost = 0
        self._endpoint = endpoint
        self._batching = batching
        self._log = log
        self._lines: list[bytes] = []
        self._something = asyncio.Event()
        self._full = asyncio.Event()

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
        connector = aiohttp.TCPConnector(ssl=self._endpoint.tls if self._endpoint.tls is not None else True)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, headers=self._endpoint.headers
        ) as session:
            try:
                while True:
                    await self._something.wait()
                    if not self._full.is_set():
                        await self._until_full()
                    await self._send(session, self._next(), ATTEMPTS)
            finally:
                while self._lines:
                    await self._send(session, self._next(), 1)

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

    async def _send(self, session: aiohttp.ClientSession, batch: list[bytes], attempts: int) -> None:
        body, seconds = HEAD + b",".join(batch) + b"]}", self._batching.backoff
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(seconds)
                seconds *= 2
            why = await self._post(session, body)
            if not why:
                return
            self._log.warning("audit webhook %s: %s", self._endpoint.url, why)
        self.lost += len(batch)

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> str:
        """Why it failed; "" if it did not."""
        headers = {"Content-Type": "application/json"}
        try:
            async with session.post(self._endpoint.url, data=body, headers=headers) as response:
                return "" if response.status < 300 else f"HTTP {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return str(error) or type(error).__name__
