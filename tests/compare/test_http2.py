"""HTTP/2 on the wire: SETTINGS, answers, and what is said to clients that break its rules.

Not asked: a length where no body follows, which kube-apiserver passes over and Kybern refuses, as RFC 9113 has it (a
server behind a proxy would wait for that body); headers of connections, which both answer with the same 400, and Kybern
ends with PROTOCOL_ERROR.
"""

import socket
import struct
from typing import Any

import pytest
from hpack import Decoder, Encoder
from same import Both
from servers import Server

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS = [(":method", "GET"), (":scheme", "https"), (":authority", "h"), (":path", "/api/v1/namespaces/default")]
HEADERS_FRAME, DATA, RST, SETTINGS, GOAWAY, WINDOW = 1, 0, 3, 4, 7, 8
VARYING = frozenset(
    ("audit-id", "date", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid", "content-length")
)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def block(headers: list[tuple[str, str]]) -> bytes:
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(headers, huffman=False)


def request(*more: tuple[str, str], ends: bool = True, stream: int = 1, **pseudo: str | None) -> bytes:
    headers = [(name, pseudo.get(name[1:], value)) for name, value in HEADERS]
    shown = [(name, value) for name, value in headers if value is not None]
    return frame(HEADERS_FRAME, 5 if ends else 4, stream, block([*shown, *more]))


def told(server: Server, sent: bytes) -> list[Any]:
    """What a superuser is told: settings, answers, codes of what ends."""
    context = server.tls("root", "system:masters")
    context.set_alpn_protocols(["h2"])
    found: list[Any] = []
    decoder, data = Decoder(), b""
    with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port))) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        connection.settimeout(1.5)
        try:
            connection.sendall(PREFACE + frame(SETTINGS, 0, 0) + sent)
            while True:
                part = connection.recv(1 << 16)
                if not part:
                    break
                data += part
                while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                    size, flags, stream = struct.unpack(">IBI", data[:9])
                    payload, data = data[9 : 9 + (size >> 8)], data[9 + (size >> 8) :]
                    found += said(size & 0xFF, flags, stream, payload, decoder)
        except OSError:  # nothing more is said
            pass
    if any(one[0] == "connection" for one in found):  # whether the window is opened before that is chance
        return [one for one in found if one[0] != "window"]
    return found


def said(kind: int, flags: int, stream: int, payload: bytes, decoder: Decoder) -> list[Any]:
    if kind == SETTINGS and not flags & 1:
        return [("settings", *sorted(struct.iter_unpack(">HI", payload)))]
    if kind == WINDOW and not stream:
        return [("window", payload)]
    if kind == HEADERS_FRAME:
        headers = {str(name): str(value) for name, value in decoder.decode(payload)}
        return [("answer", stream, sorted((n, v) for n, v in headers.items() if n not in VARYING))]
    if kind in (RST, GOAWAY):
        what, code = ("stream", payload) if kind == RST else ("connection", payload[4:8])
        return [(what, stream, int.from_bytes(code, "big"))]
    return []


ROWS = [
    pytest.param(request(), id="an object"),
    pytest.param(request(path="/api/v1/namespaces?watch=1&timeoutSeconds=1"), id="a watch"),
    pytest.param(request(method="HEAD"), id="HEAD"),
    pytest.param(request(path="/nowhere"), id="nothing"),
    pytest.param(
        request(("content-length", "3"), ends=False, method="POST", path="/api/v1/namespaces") + frame(0, 1, 1, b"{}x"),
        id="no object",
    ),
    pytest.param(request(method=None), id="no method"),
    pytest.param(request(scheme=None), id="no scheme"),
    pytest.param(request(path=None), id="no path"),
    pytest.param(request(path=""), id="an empty path"),
    pytest.param(request(path="/api/%zz"), id="a malformed escape"),
    pytest.param(request(method="CONNECT"), id="CONNECT"),
    pytest.param(request((":path", "/")), id="two paths"),
    pytest.param(request((":protocol", "websocket")), id="an unknown pseudo field"),
    pytest.param(request(("Big", "x")), id="upper case"),
    pytest.param(request(("x", "a\nb")), id="a line break"),
    pytest.param(request(ends=False, stream=2), id="an even stream"),
    pytest.param(request(ends=False, stream=0), id="stream 0"),
    pytest.param(frame(0, 0, 1, b"x"), id="data of no stream"),
    pytest.param(frame(3, 0, 1, bytes(4)), id="a reset of no stream"),
    pytest.param(frame(8, 0, 0, bytes(4)), id="a window that is no wider"),
    pytest.param(frame(8, 0, 0, struct.pack(">I", 1 << 30)) * 2, id="a window that is too wide"),
    pytest.param(frame(9, 4, 1), id="a continuation of nothing"),
    pytest.param(frame(1, 5, 1, b"\xbe"), id="an entry of an empty table"),
    pytest.param(frame(5, 4, 1, bytes(4)), id="a push"),
    pytest.param(frame(6, 0, 1, bytes(8)), id="a ping of a stream"),
    pytest.param(frame(4, 0, 0, struct.pack(">HI", 4, 1 << 31)), id="a window of 2^31"),
    pytest.param(frame(4, 0, 0, struct.pack(">HI", 5, 100)), id="frames of 100 bytes"),
    pytest.param(frame(7, 0, 0, bytes(8)), id="a farewell"),
]


@pytest.mark.parametrize("sent", ROWS)
def test_what_a_client_is_told(both: Both, sent: bytes) -> None:
    assert told(both.kybern, sent) == told(both.kube, sent)
