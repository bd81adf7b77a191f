"""A look at the first reply of a stream before the response begins: an error can still become a proper status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import grpc

from kybern.rpc.errors import status_error

T = TypeVar("T")
PATIENCE = 0.25  # seconds to wait for a first reply; a quiet stream begins without one


async def replies(call: Any) -> AsyncIterator[Any]:
    """What a streaming call to an agent brings; the call ends with the iteration. Raises StatusError."""
    try:
        async for response in call:
            yield response
    except grpc.aio.AioRpcError as error:
        raise status_error(error) from error
    finally:
        call.cancel()


class Ahead(Generic[T]):
    """`peek`, then iterate; `close` in any case."""

    def __init__(self, source: AsyncIterator[T]) -> None:
        self._source = source
        self._first: asyncio.Task[list[T]] | None = None

    async def _take(self) -> list[T]:
        """The next item, or nothing at the end."""
        async for item in self._source:
            return [item]
        return []

    async def peek(self, patience: float = PATIENCE) -> bool:
        """Wait a moment for the first reply: whether it has come; raises what the stream fails with in that time."""
        self._first = asyncio.create_task(self._take())
        await asyncio.wait({self._first}, timeout=patience)
        if self._first.done():
            self._first.result()
        return self._first.done()

    async def __aiter__(self) -> AsyncIterator[T]:
        for item in await self._first if self._first is not None else ():
            yield item
        async for item in self._source:
            yield item

    async def close(self) -> None:
        """End the stream."""
        if self._first is not None and not self._first.done():
            self._first.cancel()
            await asyncio.wait({self._first})
        aclose = getattr(self._source, "aclose", None)
        if aclose is not None:
            await aclose()
