"""What reading a gRPC stream gives when there is nothing more."""

from typing import Any

import grpc

END_OF_STREAM: Any = grpc.aio.EOF  # type: ignore[attr-defined]  # not in the stubs
