"""Requests that are the same travel together: one call is under way for them; those who come meanwhile take the next.

Nobody is answered by a call that left before they came, so each sees what was acknowledged before it asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import GetResponse

if TYPE_CHECKING:
    from kybern.gateway.handlers.fast_get import FastGet, Head, Known
    from kybern.gateway.http.reply import Reply

Key = tuple[bytes, bytes]  # on whose behalf, and what is asked: the parts of a call


class Passenger(NamedTuple):
    """A request that is not answered yet; `started` is the loop's time."""

    reply: Reply
    known: Known
    head: Head
    started: float


class Flight:
    """One call and the requests that its reply answers; waits for it as the Exchange's waiters do."""

    __slots__ = ("_flow", "_owner", "call_id", "key", "next", "passengers")

    def __init__(self, owner: FastGet, key: Key, passengers: list[Passenger]) -> None:
        self._owner = owner
        self._flow = ""
        self.key = key
        self.passengers = passengers
        self.next: list[Passenger] = []
        self.call_id = 0

    def note(self, flow: str) -> None:
        self._flow = flow

    def take(self, response: Any) -> bool:
        return False

    def finish(self, response: GetResponse) -> None:
        body, flow, done = response.object, self._flow, self._owner.done
        self._owner.landed(self, lambda passenger: done(passenger, body, flow))

    def fail(self, error: StatusError) -> None:
        flow, failed = self._flow, self._owner.failed
        self._owner.landed(self, lambda passenger: failed(passenger, error, flow))
