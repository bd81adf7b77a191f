"""The transport of a connection that is not there any more.

The real one is let go with the connection, and what TLS has buffered for it is free at once. Otherwise that waits for
the collector, because a connection and its reader know each other.
"""

from __future__ import annotations

import asyncio


class ClosedTransport(asyncio.Transport):
    """Takes everything and does nothing."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


CLOSED = ClosedTransport()
