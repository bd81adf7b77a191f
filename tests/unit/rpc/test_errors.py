import grpc
import pytest
from google.rpc import status_pb2

from kybern.kube import status as statuses
from kybern.kube.status import StatusError
from kybern.rpc.errors import DETAILS_KEY, as_status_error, failure, from_failure, grpc_code, status_error

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (statuses.bad_request("x"), Code.INVALID_ARGUMENT),
        (statuses.unauthorized(), Code.UNAUTHENTICATED),
        (statuses.forbidden("", "pods", "x", "no"), Code.PERMISSION_DENIED),
        (statuses.not_found("", "pods", "x"), Code.NOT_FOUND),
        (statuses.method_not_allowed("", "pods", "x"), Code.UNIMPLEMENTED),
        (statuses.already_exists("", "pods", "x"), Code.ALREADY_EXISTS),
        (statuses.conflict("", "pods", "x"), Code.ABORTED),
        (statuses.expired("x"), Code.OUT_OF_RANGE),
        (statuses.request_entity_too_large("x"), Code.RESOURCE_EXHAUSTED),
        (statuses.unsupported_media_type([]), Code.INVALID_ARGUMENT),
        (statuses.invalid("", "Pod", "x", []), Code.INVALID_ARGUMENT),
        (statuses.too_many_requests("x"), Code.RESOURCE_EXHAUSTED),
        (statuses.internal("x"), Code.INTERNAL),
        (statuses.service_unavailable("x"), Code.UNAVAILABLE),
        (statuses.timeout("x"), Code.DEADLINE_EXCEEDED),
        (statuses.status_error(418, "", "teapot"), Code.INVALID_ARGUMENT),
        (statuses.status_error(599, "", "odd"), Code.INTERNAL),
    ],
    ids=lambda value: str(getattr(value, "code", value)),
)
def test_codes(error: StatusError, code: grpc.StatusCode) -> None:
    assert grpc_code(error) is code
    assert from_failure(failure(error)).status == error.status


def rpc_error(code: grpc.StatusCode, details: str | None, *trailing: tuple[str, bytes]) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*trailing), details, None)


@pytest.mark.parametrize(
    ("code", "http", "reason"),
    [
        (Code.UNAVAILABLE, 503, "ServiceUnavailable"),
        (Code.CANCELLED, 503, "ServiceUnavailable"),
        (Code.DEADLINE_EXCEEDED, 504, "Timeout"),
        (Code.UNKNOWN, 500, "InternalError"),
        (Code.UNIMPLEMENTED, 405, "MethodNotAllowed"),
        (Code.PERMISSION_DENIED, 403, "Forbidden"),
        (Code.UNAUTHENTICATED, 401, "Unauthorized"),
        (Code.RESOURCE_EXHAUSTED, 429, "TooManyRequests"),
    ],
)
def test_what_a_transport_says_itself(code: grpc.StatusCode, http: int, reason: str) -> None:
    error = status_error(rpc_error(code, "why"))
    assert (error.code, error.reason, error.message) == (http, reason, "why")


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_every_code_means_something(code: grpc.StatusCode) -> None:
    assert status_error(rpc_error(code, None)).message == code.name


@pytest.mark.parametrize("details", [b"\xff\xff", b"", status_pb2.Status(code=5, message="x").SerializeToString()])
def test_details_of_others_are_ignored(details: bytes) -> None:
    error = status_error(rpc_error(Code.NOT_FOUND, "gone", (DETAILS_KEY, details)))
    assert (error.code, error.message) == (404, "gone")


def test_a_block_that_raises_status_errors() -> None:
    with pytest.raises(StatusError, match="down"), as_status_error():
        raise rpc_error(Code.UNAVAILABLE, "down")
