"""What a proxy changes in requests and answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.gateway.core import forwarding
from kybern.gateway.core.forwarding import Place, place, request_headers, response_headers, rewrite_url

POD = "/api/v1/namespaces/ns/pods/p/proxy"
AT = Place("/a/b", POD)


@pytest.mark.parametrize(
    ("path", "rest", "expected"),
    [
        (POD, "", Place("", POD)),
        (f"{POD}/", "", Place("/", POD)),
        (f"{POD}/a/b", "a/b", Place("/a/b", POD)),
        (f"{POD}/a/b/", "a/b", Place("/a/b/", POD)),
        (f"{POD}/a/../../b", "a/../../b", Place("/b", POD)),
        (f"{POD}/a//b", "a//b", Place("/a/b", POD)),
    ],
)
def test_place(path: str, rest: str, expected: Place) -> None:
    assert place(path, rest) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/x", f"{POD}/x"),
        ("/x/", f"{POD}/x/"),
        ("/x?q=1#f", f"{POD}/x?q=1#f"),
        ("/", f"{POD}/"),
        ("x", "x"),
        ("../x", "../x"),
        ("?q=1", "?q=1"),
        ("#f", "#f"),
        ("mailto:a@b.c", "mailto:a@b.c"),
        ("http://10.0.0.1:80/x", f"{POD}/x"),
        ("https://api:6443/x", f"https://api:6443{POD}/x"),
        ("http://example.com/x", "http://example.com/x"),
        (f"{POD}/x", f"{POD}/x"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_rewrite_url(url: str, expected: str) -> None:
    assert rewrite_url(url, AT, "10.0.0.1:80", "api:6443") == expected


def test_request_headers_leave_hops_and_credentials_behind() -> None:
    sent = {
        b"host": b"h",
        b"authorization": b"Bearer t",
        b"impersonate-user": b"u",
        b"x-remote-user": b"root",
        b"x-remote-extra-a": b"b",
        b"connection": b"close, X-Hop",
        b"x-hop": b"1",
        b"te": b"trailers",
        b"content-length": b"3",
        b"accept": b"a",
        b"x-forwarded-for": b"1.1.1.1",
    }
    found = request_headers(sent, {b"accept": [b"a", b"b"]}, "2.2.2.2", upgrade=False)
    assert found == [(b"accept", b"a"), (b"accept", b"b"), (b"x-forwarded-for", b"1.1.1.1, 2.2.2.2")]


def test_an_upgrade_goes_on() -> None:
    sent = {b"connection": b"keep-alive, Upgrade", b"upgrade": b"websocket", b"sec-websocket-key": b"k"}
    assert forwarding.is_upgrade(sent)
    found = request_headers(sent, {}, "", upgrade=True)
    assert found == [(b"sec-websocket-key", b"k"), (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


def test_response_headers() -> None:
    sent = [
        (b"Connection", b"X-Hop"),
        (b"X-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Access-Control-Allow-Origin", b"*"),
        (b"Set-Cookie", b"a"),
        (b"Set-Cookie", b"b"),
    ]
    assert response_headers(sent) == [(b"Set-Cookie", b"a"), (b"Set-Cookie", b"b")]


@given(st.lists(st.sampled_from(["a", "..", ".", "", "%", "é", "b c"]), max_size=6), st.booleans())
def test_no_path_leads_out_of_the_other_server(parts: list[str], slash: bool) -> None:
    path = f"{POD}/{'/'.join(parts)}" + ("/" if slash else "")
    rest = "/".join(parts).strip("/") if parts else ""
    found = place(path, rest)
    assert found.path == "" or found.path.startswith("/")
    assert not {"..", "."} & set(found.path.split("/"))
    assert forwarding.escaped(found.path).isascii()
    assert " " not in forwarding.escaped(found.path)
