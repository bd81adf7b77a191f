"""How extension API servers learn who asks."""

from kybern.gateway.handlers.aggregated import user_headers
from kybern.protos.api.v1.objects_pb2 import ExtraValues, Requester


def test_user_headers() -> None:
    pod = "authentication.kubernetes.io/pod-name"
    user = Requester(user="u\r\nX: y", uid="1", groups=["a", "b"], extra={pod: ExtraValues(values=["p", "q"])})
    assert user_headers(user) == [
        (b"X-Remote-User", b"u  X: y"),
        (b"X-Remote-Uid", b"1"),
        (b"X-Remote-Group", b"a"),
        (b"X-Remote-Group", b"b"),
        (b"X-Remote-Extra-authentication.kubernetes.io%2Fpod-name", b"p"),
        (b"X-Remote-Extra-authentication.kubernetes.io%2Fpod-name", b"q"),
    ]
    assert user_headers(Requester(user="é")) == [(b"X-Remote-User", "é".encode())]
