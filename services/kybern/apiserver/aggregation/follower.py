"""One extension API server, followed: is it available, what does it serve, what are its OpenAPI documents?"""

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from kybern.apiserver.aggregation.availability import check_discovery, check_service
from kybern.apiserver.aggregation.client import Answer, Backend, ExtensionClient, NotReached, read_backend
from kybern.apiserver.aggregation.remotes import Remote
from kybern.apiserver.core.api_services import Said
from kybern.apiserver.core.remote_discovery import digest, parse, v2_document, v3_path
from kybern.kube.openapi.conversion import v2_to_v3
from kybern.kube.status import StatusError
from kybern.store.errors import StoreError

if TYPE_CHECKING:
    from kybern.apiserver.aggregation.aggregator import Aggregator

Object = dict[str, Any]
STEADY_SECONDS = 30.0  # between looks at a server that is available
FIRST_BACKOFF = 0.5  # seconds until one that is not is looked at again; doubled up to STEADY_SECONDS
OPENAPI_SECONDS = 60.0
JSON = "application/json"


class Follower:
    """`run` until cancelled; `wake` when something about it has changed."""

    def __init__(self, aggregator: "Aggregator", name: str, spec: Object, available: bool) -> None:
        self._aggregator = aggregator
        self._client: ExtensionClient = aggregator.client
        self.name = name
        self.spec = spec
        self.available = available  # what was said of it last
        backend = read_backend(spec)
        assert backend is not None
        self.backend: Backend = backend
        self.at = (spec.get("group") or "", spec["version"])
        self._wake = asyncio.Event()
        self._openapi_at = 0.0
        self._v2_only = False  # the server has said that it publishes no OpenAPI v3

    def wake(self) -> None:
        """Look soon."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        remotes, backoff = self._aggregator.remotes, FIRST_BACKOFF
        remotes.put(self.at, remotes.known.get(self.at) or Remote())
        while True:
            self._wake.clear()
            said, rows = await self.check()
            self.available = said.status
            if said.status:
                backoff = FIRST_BACKOFF
                await self._learn(rows)
            else:
                remotes.put(self.at, replace(remotes.known[self.at], stale=True))
            try:
                await self._aggregator.say(self.name, said)
            except (StatusError, StoreError) as error:
                self._aggregator.server.telemetry.log.warning("apiservice %s: %s", self.name, error)
                said = replace(said, status=False)  # looked at again soon
            pause = STEADY_SECONDS if said.status else backoff
            backoff = min(2 * backoff, STEADY_SECONDS)
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def check(self) -> tuple[Said, list[Object] | None]:
        """The first thing that is wrong, or PASSED with what is served."""
        wrong = check_service(self._aggregator.server, self.backend)
        if wrong is not None:
            return wrong, None
        return await check_discovery(self._aggregator.server, self._client, self.backend, *self.at)

    async def _learn(self, rows: list[Object] | None) -> None:
        remotes, now = self._aggregator.remotes, asyncio.get_running_loop().time()
        known = remotes.known[self.at]
        fresh = replace(known, stale=rows is None, rows=known.rows if rows is None else rows)
        remotes.put(self.at, fresh)
        if now >= self._openapi_at or rows != known.rows:
            self._openapi_at = now + OPENAPI_SECONDS
            remotes.put(self.at, await self._documents(fresh))

    async def _documents(self, known: Remote) -> Remote:
        """With the OpenAPI documents that the server has; those it does not give stay as they were."""
        v3 = await self._v3()
        self._v2_only = self._v2_only or v3 is None
        found = replace(known, v3=v3, v3_hash=digest(v3)) if v3 else known
        v2 = await self._get("/openapi/v2", {"Accept": JSON, "If-None-Match": known.v2_etag})
        if v2 is not None and v2.status == 200:
            try:
                document = v2_document(parse(v2.body))
            except ValueError:
                return found
            if document is not None:
                found = replace(found, v2=document, v2_etag=v2.etag or digest(v2.body))
                if self._v2_only:
                    found = with_v3_of(found, document)
        return found

    async def _v3(self) -> bytes | None:
        """The v3 document; b"" if there is none just now, None from a server that never has one."""
        if self._v2_only:
            return None
        index = await self._get("/openapi/v3", {"Accept": JSON})
        if index is not None and index.status == 404:
            return None
        if index is None or index.status != 200:
            return b""
        try:
            path = v3_path(parse(index.body), *self.at)
        except ValueError:
            return b""
        document = await self._get(path, {"Accept": JSON}) if path.startswith("/") else None
        return document.body if document is not None and document.status == 200 else b""

    async def _get(self, path: str, headers: dict[str, str]) -> Answer | None:
        try:
            return await self._client.get(self.backend, path, {k: v for k, v in headers.items() if v})
        except NotReached:
            return None


def with_v3_of(known: Remote, document: Object) -> Remote:
    """With an OpenAPI v3 document made from the v2 one; without, if that has another form than it should."""
    try:
        made = orjson.dumps(v2_to_v3(document))
    except (AttributeError, TypeError, RecursionError):
        return known
    return replace(known, v3=made, v3_hash=digest(made))
