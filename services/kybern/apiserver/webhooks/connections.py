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
from kybern.apiserver.webhooks.redirects import MOST, Hop, follow
from kybern.apiserver.webhooks.resolver import NoEndpoint, Resolver
from kybern.apiserver.webhooks.target import Credentials, Target
from kybern.pki.contexts import load
from kybern.pki.trust import trust_as_go

REMEMBERED = 256  # TLS contexts
UNREADABLE = "unexpected error when reading response body"
LARGEST = 16 << 20  # bytes of an answer
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, */*"}


@dataclass(frozen=True, slots=True)
class Where:
    """One call's way: `address` is what is dialled, `host` the name that the certificate must have."""

    url: URL
    host: str
    address: str
    server_name: str = ""  # if another than the URL's host


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `text` is whether it may be shown, `location` where it sends the call on."""

    code: int
    body: bytes
    text: bool
    location: str


class Connections:
    """See the module's docstring."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._contexts: OrderedDict[tuple[str, str, bool], ssl.SSLContext] = OrderedDict()

    async def post(
        self, target: Target, body: bytes, seconds: float, credentials: Credentials, traceparent: str, agent: str
    ) -> bytes:
        """The body of a successful answer. Raises CallFailed."""
        headers = {**HEADERS, "User-Agent": agent}
        if traceparent:
            headers["traceparent"] = traceparent
        try:
            async with asyncio.timeout(seconds):
                code, answer, text = await self._post(target, body, seconds, credentials, headers)
        except TimeoutError:
            raise CallFailed(f'Post "{target.shown(seconds)}": {failures.DEADLINE}', timeout=True) from None
        if not 200 <= code <= 206:
            raise CallFailed(failures.of_answer(code, answer, text), code)
        return answer

    async def _post(
        self, target: Target, body: bytes, seconds: float, credentials: Credentials, headers: dict[str, str]
    ) -> tuple[int, bytes, bool]:
        shown = target.shown(seconds)
        place = urlsplit(target.url)
        where = Where(URL(shown, encoded=True), place.hostname or "", _address(place.hostname or "", place.port))
        if credentials.authorization:
            headers["Authorization"] = credentials.authorization
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
        hop, location = Hop(URL(shown, encoded=True), "POST", body, headers), ""
        for _ in range(MOST):
            try:
                answer = await self._send(where, hop, context)
                following = follow(hop, answer.code, answer.location)
            except aiohttp.ClientPayloadError as error:
                why = failures.of_connection(error, where.host, where.address)
                raise CallFailed(f"{UNREADABLE}. Please retry. Original error: {why}") from None
            except (ClientError, OSError, ValueError) as error:
                why = failures.of_connection(error, where.host, where.address)
                raise CallFailed(f'Post "{hop.url}": {why}', reset=isinstance(error, ConnectionResetError)) from None
            if following is None:
                return answer.code, answer.body, answer.text
            where, hop, location = _onwards(where, hop.url, following.url), following, answer.location
        raise CallFailed(f'Post "{location}": stopped after {MOST} redirects')

    async def _send(self, where: "Where", hop: Hop, context: ssl.SSLContext) -> "Answer":
        """Twice if the first try finds that the server has closed a kept connection."""
        for attempt in (1, 2):
            try:
                async with self._open().request(
                    hop.method,
                    where.url,
                    data=hop.body,
                    headers=hop.headers,
                    ssl=context,
                    server_hostname=where.server_name or None,
                    allow_redirects=False,
                ) as answer:
                    shown = answer.headers.get("Content-Type", "")
                    text = not shown or shown.startswith("text/")
                    return Answer(answer.status, await _read(answer), text, answer.headers.get("Location", ""))
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


def _onwards(where: Where, asked: URL, url: URL) -> Where:
    """The way to where a redirect leads; another path of the same place is dialled as before."""
    if url.origin() == asked.origin():
        return replace(where, url=url.with_host(where.url.host or "").with_port(where.url.port))
    host = url.host or ""
    return Where(url, where.server_name or host, _address(host, url.port), where.server_name)


def _tls(ca: str, credentials: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca or None)
    trust_as_go(context)
    if credentials.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate:
        load(context, credentials.certificate.encode(), b"")  # its key is in the same text
    return context
