"""One reply for many calls: watches that are sent the same events, with nothing else for any of them between."""

from typing import Any

from kybern.protos.api.v1.objects_pb2 import Reply
from kybern.rpc.exchange.replies import whole


class SharedReply:
    """A batch of a watch on its way out; calls join it until it is sent."""

    __slots__ = ("_size", "ids", "response")

    def __init__(self, call_id: int, response: Any) -> None:
        self.ids = [call_id]
        self.response = response
        self._size: int = response.ByteSize() + 32

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        head = Reply(id=self.ids[0], more=True, also=self.ids[1:]).SerializeToString()
        return whole(head, "watch", self.response.SerializeToString())
