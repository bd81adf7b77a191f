"""MustWait: a call cannot begin yet.

Handlers begin synchronously, so that what is answered from memory never waits. The rare call that has to wait first
(for its seat, for a key that verifies its token) is told so by this exception; once `over` has returned, its handler is
called again from the start.
"""

from collections.abc import Awaitable, Callable


class MustWait(Exception):
    """Nothing has happened for this call yet."""

    def __init__(self, over: Callable[[], Awaitable[None]]) -> None:
        super().__init__("the call must wait")
        self.over = over
