"""Redirects of webhook calls."""

import pytest
from yarl import URL

from kybern.apiserver.webhooks.redirects import Hop, follow

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer x", "Host": "a.b.svc:443"}
HOP = Hop(URL("https://a.b.svc:443/x?timeout=1s"), "POST", b"{}", HEADERS)


@pytest.mark.parametrize(
    ("code", "location", "url", "method", "kept"),
    [
        pytest.param(307, "/y", "https://a.b.svc/y", "POST", set(HEADERS), id="another path"),
        pytest.param(308, "y?a=%2F", "https://a.b.svc/y?a=%2F", "POST", set(HEADERS), id="relative, escapes kept"),
        pytest.param(301, "/y", "https://a.b.svc/y", "GET", {"Authorization", "Host"}, id="asked with GET"),
        pytest.param(302, "/y", "https://a.b.svc/y", "GET", {"Authorization", "Host"}, id="found"),
        pytest.param(303, "/y", "https://a.b.svc/y", "GET", {"Authorization", "Host"}, id="see other"),
        pytest.param(
            307, "https://a.b.svc/y", "https://a.b.svc/y", "POST", {"Authorization", "Content-Type"}, id="the same host"
        ),
        pytest.param(307, "https://c/y", "https://c/y", "POST", {"Content-Type"}, id="no credentials for others"),
    ],
)
def test_follow(code: int, location: str, url: str, method: str, kept: set[str]) -> None:
    found = follow(HOP, code, location)
    assert found is not None
    assert (str(found.url), found.method, found.body) == (url, method, b"{}" if method == "POST" else None)
    assert set(found.headers) == kept | {"Referer"}


@pytest.mark.parametrize(("code", "location"), [(307, ""), (200, "/y"), (304, "/y"), (300, "/y"), (500, "/y")])
def test_an_answer_is_the_end(code: int, location: str) -> None:
    assert follow(HOP, code, location) is None
