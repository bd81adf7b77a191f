"""Names in the paths of proxy subresources."""

import pytest

from kybern.apiserver.core.proxy_names import ProxyName, is_proxyable, split


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p", ProxyName("", "p", "")),
        ("p:80", ProxyName("", "p", "80")),
        ("p:http", ProxyName("", "p", "http")),
        ("https:p:443", ProxyName("https", "p", "443")),
        ("http:p:", ProxyName("http", "p", "")),
        (":p:80", ProxyName("", "p", "80")),
        ("ftp:p:21", None),
        ("a:b:c:d", None),
        ("https::443", None),
        ("", None),
    ],
)
def test_split(text: str, expected: ProxyName | None) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1", True),
        ("fd00::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("0.0.0.0", False),
        ("", False),
        ("host", False),
    ],
)
def test_is_proxyable(address: str, expected: bool) -> None:
    assert is_proxyable(address) is expected
