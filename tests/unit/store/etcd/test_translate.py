"""etcd's refusals of what is too large, as a kube-apiserver tells them."""

import grpc
import pytest

from kybern.store.errors import TooLargeError
from kybern.store.etcd.cluster import translate


@pytest.mark.parametrize(
    ("details", "told"),
    [
        ("etcdserver: request is too large", "etcdserver: request is too large"),
        (
            "grpc: received message larger than max (2119936 vs. 2097152)",
            "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2119936 vs. 2097152)",
        ),
        ("Sent message larger than max (2 vs. 1)", "Sent message larger than max (2 vs. 1)"),
    ],
)
def test_too_large(details: str, told: str) -> None:
    none = grpc.aio.Metadata()
    error = grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, none, none, details)
    found = translate(error, "127.0.0.1:2379")
    assert isinstance(found, TooLargeError)
    assert str(found) == told
