"""A webhook server over HTTPS for tests: admission and conversion webhooks as plain functions.

async with webhook_server(folder) as server:
    server.admit("/deny", lambda request: {"allowed": False, "status": {"message": "no"}})
    configuration["webhooks"][0]["clientConfig"] = server.client_config("/deny")
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from kybern.clock import SystemClock
from kybern.pki.authority import Identity, issue, open_ca

Object = dict[str, Any]
Answer = Callable[[Object], Object | Awaitable[Object]]  # AdmissionRequest → AdmissionResponse, without its uid
Convert = Callable[[Object, str], Object]  # (object, apiVersion wanted) → object


class WebhookServer:
    """See the module's docstring. `reviews` has every body received, `headers` and `queries` what came with it."""

    def __init__(self, port: int, ca: bytes, certificate: bytes) -> None:
        self.port, self.ca, self.certificate = port, ca, certificate
        self.reviews: list[Object] = []
        self.headers: list[Any] = []
        self.queries: list[str] = []
        self.connections: set[Any] = set()
        self._paths: dict[str, Callable[[Object], Awaitable[web.Response]]] = {}

    @property
    def ca_bundle(self) -> str:
        """For `caBundle`."""
        return base64.b64encode(self.ca).decode()

    def client_config(self, path: str) -> Object:
        """A clientConfig with a URL."""
        return {"url": f"https://127.0.0.1:{self.port}{path}", "caBundle": self.ca_bundle}

    def requests(self) -> list[Object]:
        """The `request` of every review received."""
        return [review["request"] for review in self.reviews]

    def admit(self, path: str, answer: Answer) -> None:
        """Serve an admission webhook."""

        async def review(asked: Object) -> web.Response:
            said = answer(asked["request"])
            response = await said if isinstance(said, Awaitable) else said
            found = {"kind": "AdmissionReview", "apiVersion": asked["apiVersion"]}
            return _json({**found, "response": {"uid": asked["request"]["uid"], **response}})

        self._paths[path] = review

    def convert(self, path: str, change: Convert) -> None:
        """Serve a conversion webhook."""

        async def review(asked: Object) -> web.Response:
            request = asked["request"]
            made = [change(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
            response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": made}
            return _json({"kind": "ConversionReview", "apiVersion": asked["apiVersion"], "response": response})

        self._paths[path] = review

    def answer(self, path: str, answer: Callable[[Object], Object]) -> None:
        """Answer a review with any object."""

        async def review(asked: Object) -> web.Response:
            return _json(answer(asked))

        self._paths[path] = review

    def raw(self, path: str, body: bytes, status: int = 200, location: str = "") -> None:
        """Answer with these bytes whatever is asked; `location`: and send the caller on."""

        async def review(asked: Object) -> web.Response:
            return web.Response(body=body, status=status, headers={"Location": location} if location else {})

        self._paths[path] = review

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        self.connections.add(request.transport)
        self.headers.append(request.headers)
        self.queries.append(request.query_string)
        asked = orjson.loads(await request.read() or b"{}")
        self.reviews.append(asked)
        answer = self._paths.get(request.path)
        return web.Response(status=404) if answer is None else await answer(asked)


def patch(*operations: Object) -> Object:
    """An AdmissionResponse that changes the object."""
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(orjson.dumps(operations)).decode()}


def _json(body: Object) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")


@asynccontextmanager
async def webhook_server(
    folder: Path, names: Sequence[str] = (), ips: Sequence[str] = ("127.0.0.1",), port: int = 0
) -> AsyncIterator[WebhookServer]:
    """A server on a port of the loopback (0: a free one), with a certificate for the names and addresses."""
    now = SystemClock().now()
    ca = open_ca(folder / "webhook-pki", now)
    pair = issue(ca, Identity("webhook", dns_names=names, ips=ips), timedelta(days=1), now)
    pem = folder / "webhook-pki" / "tls.pem"
    await asyncio.to_thread(pem.write_bytes, pair.key + pair.cert)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    server = WebhookServer(0, ca.pem, pair.cert)
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        for transport in server.connections:
            if not transport.is_closing():  # what is closed cannot be aborted
                transport.abort()  # kept connections of clients that do not know of the end
        await runner.cleanup()
        await asyncio.sleep(0)
