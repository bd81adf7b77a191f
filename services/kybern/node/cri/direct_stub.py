"""A stub whose calls are plain calls: no wire between an agent and the runtime in its own process."""

from collections.abc import Callable
from typing import Any

from grpc import StatusCode

from kybern.node.cri.simulated_state import failure


class DirectStub:
    """Methods of the servicer under their own names."""

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def __getattr__(self, method: str) -> Callable[..., Any]:
        handler = getattr(self._servicer, method, None)
        if handler is None:
            raise failure(StatusCode.UNIMPLEMENTED, f"unknown method {method}")

        def call(request: Any, timeout: float | None = None) -> Any:
            return handler(request)

        return call
