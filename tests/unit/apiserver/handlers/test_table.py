"""Handlers as the table has them: each call is counted by how it ended, and its seat is given back."""

from collections.abc import AsyncIterator, Awaitable
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from kybern.apiserver.handlers.table import counted, counted_stream
from kybern.apiserver.metrics import ApiMetrics
from kybern.kube.status import StatusError, not_found
from kybern.protos.api.v1.objects_pb2 import GetRequest, Resource
from kybern.store.errors import OutcomeUnknown, StoreFull, StoreUnavailable

ENDS: dict[str, tuple[BaseException | None, int]] = {
    "an answer": (None, 200),
    "a refusal": (not_found("", "pods", "a"), 404),
    "no store": (StoreUnavailable("away"), 500),
    "an answer that was lost": (OutcomeUnknown("away"), 504),
    "no space": (StoreFull("full"), 500),
    "a mistake": (KeyError("x"), 500),
}
ASKED = GetRequest(resource=Resource(version="v1", resource="pods"))


class Server:
    """What a handler's frame needs of an ApiServer."""

    def __init__(self) -> None:
        self.metrics = ApiMetrics(CollectorRegistry())
        self.flow = self
        self.left = 0

    def leave(self, call: Any, seconds: float) -> None:
        self.left += 1

    @property
    def codes(self) -> dict[object, int]:
        return self.metrics.series("GET", "", "pods").codes


async def ended(work: Awaitable[Any], error: BaseException | None) -> None:
    """It ends with the error, which is a Status unless it was a mistake."""
    if error is None:
        await work
        return
    with pytest.raises(KeyError if isinstance(error, KeyError) else StatusError):
        await work


@pytest.mark.parametrize("name", ENDS)
async def test_calls(name: str) -> None:
    error, code = ENDS[name]
    server, call = Server(), SimpleNamespace(seat=object())

    async def handler(server: Any, message: Any, call: Any) -> str:
        if error is not None:
            raise error
        return "answer"

    wrapped = counted(server, "get", handler)  # type: ignore[arg-type]
    await ended(wrapped(ASKED, call), error)  # type: ignore[arg-type]
    assert (server.codes, server.left) == ({code: 1}, 1)


@pytest.mark.parametrize("name", ENDS)
async def test_streams(name: str) -> None:
    error, code = ENDS[name]
    server, call, seen = Server(), SimpleNamespace(seat=object()), []

    async def handler(server: Any, message: Any, call: Any) -> AsyncIterator[int]:
        yield 1
        if error is not None:
            raise error

    async def drain() -> None:
        async for item in counted_stream(server, "get", handler)(ASKED, call):  # type: ignore[arg-type]
            seen.append(item)  # noqa: PERF401 — what came before an error counts

    await ended(drain(), error)
    assert seen == [1]
    assert (server.codes, server.left) == ({code: 1}, 1)
