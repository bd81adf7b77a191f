"""Watch events as lines of JSON; the bytes of the newest batch are kept for the other watches that are sent it."""

from __future__ import annotations

from kybern.gateway.core import views
from kybern.protos.api.v1.objects_pb2 import (
    EVENT_TYPE_ADDED,
    EVENT_TYPE_BOOKMARK,
    EVENT_TYPE_DELETED,
    EVENT_TYPE_ERROR,
    EVENT_TYPE_MODIFIED,
    WatchResponse,
)

NAMES: dict[int, views.EventName] = {
    EVENT_TYPE_ADDED: "ADDED",
    EVENT_TYPE_MODIFIED: "MODIFIED",
    EVENT_TYPE_DELETED: "DELETED",
    EVENT_TYPE_BOOKMARK: "BOOKMARK",
    EVENT_TYPE_ERROR: "ERROR",
}


def http_chunk(*data: bytes) -> bytes:
    """Data as a chunk of HTTP/1.1's transfer coding."""
    return b"".join((b"%x\r\n" % sum(map(len, data)), *data, b"\r\n"))


def chunk_data(chunk: bytes) -> memoryview:
    """The data of such a chunk."""
    return memoryview(chunk)[chunk.index(b"\n") + 1 : -2]


class Frames:
    """Batches as lines of JSON; the bytes of the newest are kept for the other watches that are sent it."""

    def __init__(self) -> None:
        self._batch: WatchResponse | None = None
        self._bytes = (b"", b"")
        self._sizes: tuple[int, ...] = ()

    def of(self, batch: WatchResponse) -> tuple[bytes, bytes]:
        """The lines, alone and as an HTTP chunk."""
        if batch is not self._batch:
            lines = [views.frame(NAMES[event.type], event.object) for event in batch.events]
            data = b"".join(lines)
            self._batch, self._bytes, self._sizes = batch, (data, http_chunk(data)), tuple(map(len, lines))
        return self._bytes

    @property
    def sizes(self) -> tuple[int, ...]:
        """How long the lines of the newest batch are."""
        return self._sizes
