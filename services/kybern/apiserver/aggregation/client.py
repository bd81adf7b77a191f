"""What the aggregator itself asks extension API servers: discovery and OpenAPI, as system:kube-aggregator."""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yarl import URL

from kybern.apiserver.webhooks.resolver import NoEndpoint, Resolver
from kybern.apiserver.webhooks.target import ServiceReference
from kybern.pki.client_tls import ClientTls

USER = {"X-Remote-User": "system:kube-aggregator", "X-Remote-Group": "system:masters"}
LARGEST = 64 << 20  # bytes of an answer
SECONDS = 5.0


class NotReached(Exception):
    """Why an extension API server gave no answer."""


@dataclass(frozen=True)
class Backend:
    """The part of an APIService that says how to reach its server."""

    service: ServiceReference
    ca: bytes = b""
    insecure: bool = False


def read_backend(spec: dict[str, Any]) -> Backend | None:
    """None for an APIService without a server of its own."""
    service = spec.get("service")
    if not service:
        return None
    try:
        ca = base64.b64decode(spec.get("caBundle") or "")
    except (binascii.Error, ValueError):
        ca = b""
    reference = ServiceReference(service.get("namespace") or "", service.get("name") or "", service.get("port") or 443)
    return Backend(reference, ca, bool(spec.get("insecureSkipTLSVerify")))


@dataclass(frozen=True)
class Answer:
    """Status, body and ETag."""

    status: int
    body: bytes
    etag: str = ""


class ExtensionClient:
    """Connections are not kept: there is a question a minute."""

    def __init__(self, resolver: Resolver, certificate: Path | None) -> None:
        self._resolver = resolver
        self._tls = ClientTls(certificate)

    async def get(self, backend: Backend, path: str, headers: dict[str, str] | None = None, shown: str = "") -> Answer:
        """Raises NotReached, which names the URL as it is `shown`."""
        import aiohttp  # loaded when the first extension API server is asked

        from kybern.apiserver.webhooks import failures

        try:
            host, port = self._resolver.resolve(backend.service)
            context = self._tls.context(backend.ca, insecure=backend.insecure)
        except (NoEndpoint, OSError, ValueError) as error:
            raise NotReached(str(error)) from None
        shown = shown or f"https://{host}:{port}{path}"
        url = URL.build(scheme="https", host=host, port=port).join(URL(path, encoded=True))
        sent = {**USER, "User-Agent": "kube-aggregator", **(headers or {})}
        try:
            async with (
                asyncio.timeout(SECONDS),
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
                session.get(
                    url, headers=sent, ssl=context, server_hostname=backend.service.host, allow_redirects=False
                ) as answer,
            ):
                body = bytearray()
                async for piece in answer.content.iter_any():
                    body += piece
                    if len(body) > LARGEST:
                        raise NotReached(f'Get "{shown}": the answer is larger than {LARGEST} bytes')
                return Answer(answer.status, bytes(body), answer.headers.get("ETag", ""))
        except TimeoutError:
            raise NotReached(f'Get "{shown}": context deadline exceeded') from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            why = failures.of_connection(error, backend.service.host, f"{host}:{port}")
            raise NotReached(f'Get "{shown}": {why}') from None
