"""StatusError over gRPC: a Kubernetes Status rides in the rich error details of a gRPC status, in both directions.

`grpc-status-details-bin` holds a `google.rpc.Status` whose one detail is a `kybern.api.v1.Failure`. What a transport
reports by itself (no server, deadline, a method that is not there) becomes the nearest StatusError on the client.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
import orjson
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import status_pb2

from kybern.kube import status as statuses
from kybern.kube.status import StatusError
from kybern.protos.api.v1.objects_pb2 import Failure

DETAILS_KEY = "grpc-status-details-bin"
MAX_MESSAGE = 1000  # characters of the plain message; the whole text is in the details

_BY_REASON = {"AlreadyExists": grpc.StatusCode.ALREADY_EXISTS}
_BY_HTTP = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    405: grpc.StatusCode.UNIMPLEMENTED,
    406: grpc.StatusCode.INVALID_ARGUMENT,
    409: grpc.StatusCode.ABORTED,
    410: grpc.StatusCode.OUT_OF_RANGE,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    415: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_FROM_GRPC = {
    grpc.StatusCode.CANCELLED: (503, "ServiceUnavailable"),
    grpc.StatusCode.UNKNOWN: (500, "InternalError"),
    grpc.StatusCode.INVALID_ARGUMENT: (400, "BadRequest"),
    grpc.StatusCode.DEADLINE_EXCEEDED: (504, "Timeout"),
    grpc.StatusCode.NOT_FOUND: (404, "NotFound"),
    grpc.StatusCode.ALREADY_EXISTS: (409, "AlreadyExists"),
    grpc.StatusCode.PERMISSION_DENIED: (403, "Forbidden"),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (429, "TooManyRequests"),
    grpc.StatusCode.FAILED_PRECONDITION: (400, "BadRequest"),
    grpc.StatusCode.ABORTED: (409, "Conflict"),
    grpc.StatusCode.OUT_OF_RANGE: (410, "Expired"),
    grpc.StatusCode.UNIMPLEMENTED: (405, "MethodNotAllowed"),
    grpc.StatusCode.INTERNAL: (500, "InternalError"),
    grpc.StatusCode.UNAVAILABLE: (503, "ServiceUnavailable"),
    grpc.StatusCode.DATA_LOSS: (500, "InternalError"),
    grpc.StatusCode.UNAUTHENTICATED: (401, "Unauthorized"),
}


def grpc_code(error: StatusError) -> grpc.StatusCode:
    """The gRPC code for a Status: by reason where the HTTP code says too little, else by HTTP code."""
    code = _BY_REASON.get(error.reason) or _BY_HTTP.get(error.code)
    return code or (grpc.StatusCode.INVALID_ARGUMENT if error.code < 500 else grpc.StatusCode.INTERNAL)


def failure(error: StatusError) -> Failure:
    """The Status as it crosses the wire."""
    return Failure(status=orjson.dumps(error.status), warnings=error.warnings)


def from_failure(message: Failure) -> StatusError:
    """The StatusError in a Failure."""
    return StatusError(orjson.loads(message.status), message.warnings)


async def abort(context: Any, error: StatusError) -> NoReturn:
    """End the call with this Status; raises grpc's AbortError, which has to pass through the handler."""
    code, text = grpc_code(error), error.message[:MAX_MESSAGE]
    detail = any_pb2.Any()
    detail.Pack(failure(error))
    details = status_pb2.Status(code=code.value[0], message=text, details=[detail])
    await context.abort(code, text, ((DETAILS_KEY, details.SerializeToString()),))
    raise AssertionError("abort returned")


def status_error(error: grpc.RpcError) -> StatusError:
    """What a failed call means in Kubernetes' terms, for the `AioRpcError` that a stub raised."""
    trailing: Any = error.trailing_metadata()
    for key, value in trailing or ():
        if key == DETAILS_KEY:
            found = _details(value)
            if found is not None:
                return found
    http, reason = _FROM_GRPC.get(error.code(), (500, "InternalError"))
    return statuses.status_error(http, reason, error.details() or error.code().name)


@contextmanager
def as_status_error() -> Iterator[None]:
    """Calls of stubs in the block raise StatusError instead of grpc's error."""
    try:
        yield
    except grpc.RpcError as error:
        raise status_error(error) from error


def _details(value: bytes) -> StatusError | None:
    try:
        for detail in status_pb2.Status.FromString(value).details:
            message = Failure()
            if detail.Unpack(message):
                return from_failure(message)
    except (DecodeError, orjson.JSONDecodeError):
        return None
    return None
