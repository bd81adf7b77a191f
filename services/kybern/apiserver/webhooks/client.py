"""WebhookClient: HTTPS POSTs to webhooks over connections that are kept, each authority's certificates read once.

It opens no socket before the first call. A kept connection that its server has closed meanwhile is replaced once.
"""

import asyncio
import ssl
from collections import OrderedDict
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientConnectorError, ClientError, ClientOSError, ServerDisconnectedError
from yarl import URL

from kybern.apiserver.webhooks import failures
from kybern.apiserver.webhooks.resolver import NoEndpoint, Resolver
from kybern.apiserver.webhooks.target import Target

REMEMBERED = 256  # TLS contexts
LARGEST = 16 << 20  # bytes of an answer
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, */*"}


class CallFailed(Exception):
    """The message says what happened, `Post "https://…": why` where the webhook was not reached."""


class WebhookClient:
    """`post` one body and have the answer's."""

    def __init__(self, resolver: Resolver, agent: str = "kube-apiserver-admission") -> None:
        self._resolver = resolver
        self._headers = {**HEADERS, "User-Agent": agent}
        self._session: aiohttp.ClientSession | None = None
        self._contexts: OrderedDict[tuple[str, str, str], ssl.SSLContext] = OrderedDict()

    async def post(
        self, target: Target, body: bytes, seconds: float, *, certificate: tuple[str, str] = ("", ""), bearer: str = ""
    ) -> bytes:
        """The body of a successful answer. Raises CallFailed.

        `certificate` names the client's certificate and key, both files; `bearer` is a token.
        """
        try:
            async with asyncio.timeout(seconds):
                code, answer = await self._post(target, body, seconds, certificate, bearer)
        except TimeoutError:
            raise CallFailed(f'Post "{target.shown(seconds)}": {failures.DEADLINE}') from None
        if not 200 <= code <= 206:
            raise CallFailed(failures.of_answer(code, answer))
        return answer

    async def _post(
        self, target: Target, body: bytes, seconds: float, certificate: tuple[str, str], bearer: str
    ) -> tuple[int, bytes]:
        shown = target.shown(seconds)
        url, headers, parts = URL(shown, encoded=True), dict(self._headers), urlsplit(target.url)
        host, address = parts.hostname or "", parts.netloc
        if ":" not in parts.netloc.rpartition("]")[2]:
            address = f"{parts.netloc}:443"
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        try:
            context = self._context(target.ca, certificate)
            server_name: str | None = None
            if target.service is not None:
                ip, port = self._resolver.resolve(target.service)
                server_name, headers["Host"] = target.service.host, parts.netloc
                address = f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
                url = url.with_host(ip).with_port(port)
        except NoEndpoint as error:
            raise CallFailed(f'Post "{shown}": {error}') from None
        except (ssl.SSLError, OSError, ValueError) as error:
            raise CallFailed(f"unable to load root certificates: {error}") from None
        for attempt in (1, 2):
            try:
                async with self._open().post(
                    url, data=body, headers=headers, ssl=context, server_hostname=server_name, allow_redirects=False
                ) as answer:
                    return answer.status, await _read(answer)
            except ClientConnectorError as error:
                raise CallFailed(f'Post "{shown}": {failures.of_connection(error, host, address)}') from None
            except (ServerDisconnectedError, ClientOSError) as error:
                if attempt == 2:
                    raise CallFailed(f'Post "{shown}": {failures.of_connection(error, host, address)}') from None
            except (ClientError, OSError) as error:
                raise CallFailed(f'Post "{shown}": {failures.of_connection(error, host, address)}') from None
        raise AssertionError("unreachable")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=90)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=None)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True)
        return self._session

    def _context(self, ca: str, certificate: tuple[str, str]) -> ssl.SSLContext:
        """The same object for the same certificates: connections are kept by it. Raises SSLError, OSError."""
        key = (ca, *certificate)
        found = self._contexts.get(key)
        if found is None:
            found = ssl.create_default_context(cadata=ca or None)
            found.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if certificate[0]:
                found.load_cert_chain(certificate[0], certificate[1] or None)
            self._contexts[key] = found
            if len(self._contexts) > REMEMBERED:
                self._contexts.popitem(last=False)
        return found

    async def close(self) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise CallFailed(f"the answer is larger than {LARGEST} bytes")
    return b"".join(parts)
