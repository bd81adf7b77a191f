"""Connections: HTTPS to webhooks, kept as long as their servers keep them, each authority's certificates read once.

A kept connection that its server has closed meanwhile is replaced once.
"""

import asyncio
import ssl
from collections import OrderedDict
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import aiohttp
from aiohttp import ClientConnectorError, ClientError, ClientOSError, ServerDisconnectedError
from yarl import URL

from kybern.apiserver.webhooks import failures
from kybern.apiserver.webhooks.client import CallFailed
from kybern.apiserver.webhooks.resolver import NoEndpoint, Resolver
from kybern.apiserver.webhooks.target import Credentials, Target
from kybern.pki.contexts import load

REMEMBERED = 256  # TLS contexts
LARGEST = 16 << 20  # bytes of an answer
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, */*"}


@dataclass(frozen=True, slots=True)
class Where:
    """One call's way: `address` is what is dialled, `host` the name that the certificate must have."""

    url: URL
    host: str
    address: str
    server_name: str = ""  # if another than the URL's host


class Connections:
    """See the module's docstring."""

    def __init__(self, resolver: Resolver, agent: str) -> None:
        self._resolver = resolver
        self._headers = {**HEADERS, "User-Agent": agent}
        self._session: aiohttp.ClientSession | None = None
        self._contexts: OrderedDict[tuple[str, str, bool], ssl.SSLContext] = OrderedDict()

    async def post(
        self, target: Target, body: bytes, seconds: float, credentials: Credentials, traceparent: str
    ) -> bytes:
        """The body of a successful answer. Raises CallFailed."""
        try:
            async with asyncio.timeout(seconds):
                code, answer, text = await self._post(target, body, seconds, credentials, traceparent)
        except TimeoutError:
            raise CallFailed(f'Post "{target.shown(seconds)}": {failures.DEADLINE}') from None
        if not 200 <= code <= 206:
            raise CallFailed(failures.of_answer(code, answer, text), code)
        return answer

    async def _post(
        self, target: Target, body: bytes, seconds: float, credentials: Credentials, traceparent: str
    ) -> tuple[int, bytes, bool]:
        shown, headers = target.shown(seconds), dict(self._headers)
        place = urlsplit(target.url)
        where = Where(URL(shown, encoded=True), place.hostname or "", _address(place.hostname or "", place.port))
        if credentials.authorization:
            headers["Authorization"] = credentials.authorization
        if traceparent:
            headers["traceparent"] = traceparent
        if credentials.server_name:
            where = replace(where, server_name=credentials.server_name, host=credentials.server_name)
        try:
            context = self._context(target.ca, credentials)
            if target.service is not None:
                headers["Host"] = place.netloc
                where = _at_endpoint(where, target.service.host, *self._resolver.resolve(target.service))
        except NoEndpoint as error:
            raise CallFailed(f'Post "{shown}": {error}') from None
        except (ssl.SSLError, OSError, ValueError) as error:
            raise CallFailed(f"unable to load root certificates: {error}") from None
        try:
            return await self._send(where, body, headers, context)
        except (ClientError, OSError) as error:
            why = failures.of_connection(error, where.host, where.address)
            raise CallFailed(f'Post "{shown}": {why}', reset=isinstance(error, ConnectionResetError)) from None

    async def _send(
        self, where: "Where", body: bytes, headers: dict[str, str], context: ssl.SSLContext
    ) -> tuple[int, bytes, bool]:
        """Twice if the first try finds that the server has closed a kept connection."""
        for attempt in (1, 2):
            try:
                async with self._open().post(
                    where.url,
                    data=body,
                    headers=headers,
                    ssl=context,
                    server_hostname=where.server_name or None,
                    allow_redirects=False,
                ) as answer:
                    shown = answer.headers.get("Content-Type", "")
                    return answer.status, await _read(answer), not shown or shown.startswith("text/")
            except ClientConnectorError:
                raise
            except (ServerDisconnectedError, ClientOSError):
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=90)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),  # webhooks are told nothing of each other's, or their own past
            )
        return self._session

    def _context(self, ca: str, credentials: Credentials) -> ssl.SSLContext:
        """The same object for the same certificates: connections are kept by it. Raises SSLError, OSError."""
        key = (ca, credentials.certificate, credentials.insecure)
        found = self._contexts.get(key)
        if found is None:
            found = self._contexts[key] = _tls(ca, credentials)
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


def _address(host: str, port: int | None) -> str:
    return f"[{host}]:{port or 443}" if ":" in host else f"{host}:{port or 443}"


def _at_endpoint(where: Where, name: str, ip: str, port: int) -> Where:
    url = where.url.with_host(ip).with_port(port)
    return Where(url, name, _address(ip, port), name)


def _tls(ca: str, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca or None)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.hostname_checks_common_name = False  # as Go
    if credentials.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate:
        load(context, credentials.certificate.encode(), b"")  # its key is in the same text
    return context
