"""Links in HTML pages behind a proxy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.gateway.core.html_links import HtmlRewriter


def rewritten(page: bytes, size: int = 10_000) -> bytes:
    rewriter = HtmlRewriter(lambda url: "/p" + url if url.startswith("/") else url)
    parts = [rewriter.feed(page[at : at + size]) for at in range(0, len(page), size)]
    return b"".join((*parts, rewriter.end()))


PAGES = [
    (b'<a href="/x">x</a>', b'<a href="/p/x">x</a>'),
    (b"<A class=c HREF='/x' title=\"/y\">", b'<A class=c HREF="/p/x" title="/y">'),
    (b"<img src=/i.png alt=/a>", b'<img src="/p/i.png" alt=/a>'),
    (b'<img src="/i.png"/>', b'<img src="/p/i.png"/>'),
    (b'<a href="/x?a=1&amp;b=2">', b'<a href="/p/x?a=1&amp;b=2">'),
    (b'<form action="/f"><input formaction="/g"></form>', b'<form action="/p/f"><input formaction="/p/g"></form>'),
    (b'<script src="/s.js">"<a href="/x">"</script>', b'<script src="/p/s.js">"<a href="/x">"</script>'),
    (b'<!-- <a href="/x"> --><a href="/x">', b'<!-- <a href="/x"> --><a href="/p/x">'),
    (b'<p title="a > b"><a title=">" href="/x">', b'<p title="a > b"><a title=">" href="/p/x">'),
    (b"1 < 2 <a", b"1 < 2 <a"),
    ("<p>é</p>".encode(), "<p>é</p>".encode()),
    (b'<a href="x">', b'<a href="x">'),
]  # fmt: skip


@pytest.mark.parametrize(("page", "expected"), PAGES)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_links(page: bytes, expected: bytes, size: int) -> None:
    assert rewritten(page, size) == expected


@pytest.mark.parametrize("filler", [b"a", b" ", b"a ", b"a=", b"<a ", b'"'])
def test_no_page_takes_long(filler: bytes) -> None:
    page = b"<a " + filler * (60_000 // len(filler)) + b'><a href="/x">'
    assert rewritten(page).startswith(page[:3])  # the time is the point: minutes for a pattern that tries names twice


@given(st.lists(st.sampled_from([b"<", b">", b"a", b" href=/x", b'"', b"'", b"<!--", b"-->", b"<script>", b"</"])))
def test_any_page_comes_out_whole_however_it_is_cut(parts: list[bytes]) -> None:
    page = b"".join(parts)
    assert rewritten(page, 1) == rewritten(page)
    rewriter = HtmlRewriter(lambda url: url)
    assert rewriter.feed(page) + rewriter.end() == page
