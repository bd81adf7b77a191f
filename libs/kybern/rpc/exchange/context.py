"""What a handler knows of the call that it answers, whether it came alone or in an Exchange."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kybern.protos.api.v1.objects_pb2 import Origin, Requester
from kybern.rpc.transport import Identity


@dataclass(slots=True)
class CallContext:
    """`peer` has a verified certificate; `requester` is whom it claims to speak for (only a gateway may)."""

    peer: Identity
    requester: Requester | None = None
    traceparent: str = ""
    deadline: float | None = None  # in loop.time(); the call is cancelled then
    origin: Origin | None = None
    shared: bool = False  # its replies may answer other calls too
    push: Callable[[Sequence[Any]], bool] | None = None  # of a stream: send replies at once; False if there is no room
    flow: str = ""  # told to the client in the first reply: see Reply.flow
    warning: str = ""  # of the requester's credential, told with the flow
    seat: Any = None  # what the server's flow control keeps of the call
    entered: float = 0.0  # in loop.time(): the layer that it is in now
    passed: int = 0  # layers
    audit: Any = None  # what the server's audit log keeps of the call


# Field of the oneof → what answers it: a plain function or a coroutine function that returns the response, or, for
# list and watch, an async generator function.
Handlers = Mapping[str, Callable[[Any, CallContext], Any]]
