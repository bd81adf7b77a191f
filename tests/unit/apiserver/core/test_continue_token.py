"""Continue tokens: read back as written, refused when they are anything else."""

import base64

import pytest

from kybern.apiserver.core.continue_token import ContinueToken, decode, too_old
from kybern.kube.status import StatusError


@pytest.mark.parametrize("token", [ContinueToken(5, "ns/a"), ContinueToken(-1, "ns/ü"), ContinueToken(1 << 60, "a")])
def test_round_trip(token: ContinueToken) -> None:
    assert decode(token.encode()) == token


@pytest.mark.parametrize(
    "text",
    ["x", "%", *(base64.urlsafe_b64encode(raw).decode() for raw in (
        b"[]", b'{"v":"other","rv":1,"start":"a"}', b'{"v":"meta.k8s.io/v1","rv":"1","start":"a"}',
        b'{"v":"meta.k8s.io/v1","rv":1,"start":""}', b'{"v":"meta.k8s.io/v1","rv":1,"start":"../a"}',
    ))],
)  # fmt: skip
def test_refused(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        decode(text)
    assert caught.value.code == 400


def test_too_old_carries_a_token_to_go_on_with() -> None:
    error = too_old(ContinueToken(5, "ns/a"))
    assert isinstance(error, StatusError)
    assert (error.code, error.reason) == (410, "Expired")
    assert decode(error.status["metadata"]["continue"]) == ContinueToken(-1, "ns/a")
