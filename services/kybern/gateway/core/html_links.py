"""Links in HTML pages behind a proxy: attributes that hold URLs are rewritten, every other byte stays as it is.

Fed in pieces; text inside <script>, <style> and comments is none of its business.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

URL_ATTRIBUTES: dict[str, frozenset[str]] = {
    tag: frozenset(attributes.split())
    for tag, attributes in {
        "a": "href",
        "applet": "codebase",
        "area": "href",
        "audio": "src",
        "base": "href",
        "blockquote": "cite",
        "body": "background",
        "button": "formaction",
        "command": "icon",
        "del": "cite",
        "embed": "src",
        "form": "action",
        "frame": "longdesc src",
        "head": "profile",
        "html": "manifest",
        "iframe": "longdesc src",
        "img": "longdesc src usemap",
        "input": "src usemap formaction",
        "ins": "cite",
        "link": "href",
        "object": "classid codebase data usemap",
        "q": "cite",
        "script": "src",
        "source": "src",
        "video": "poster src",
    }.items()
}
_TAG = re.compile(r"<([a-zA-Z][^\s/>]*)((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")
# A name is tried from its first character only, and whole: a page of names without values does not take long.
_ATTRIBUTE = re.compile(r"(?<![^\s\"'>/=])([^\s\"'>/=]++)(\s*+=\s*+)(\"[^\"]*\"|'[^']*'|[^\s>]+)")
_RAW = ("script", "style")
LONGEST_TAG = 64 << 10  # characters; a longer one is no tag


class HtmlRewriter:
    """`feed` gives what is finished, `end` the rest."""

    def __init__(self, rewrite: Callable[[str], str]) -> None:
        self._rewrite = rewrite
        self._left = ""
        self._inside = ""  # the raw text element that has not ended yet

    def feed(self, data: bytes) -> bytes:
        """The page so far, but for a tag that is not complete yet."""
        self._left += data.decode("latin-1")
        return "".join(self._finished(last=False)).encode("latin-1", "xmlcharrefreplace")

    def end(self) -> bytes:
        """What is left when nothing more comes."""
        return "".join(self._finished(last=True)).encode("latin-1", "xmlcharrefreplace")

    def _finished(self, *, last: bool) -> Iterator[str]:
        text, at = self._left, 0
        while at < len(text):
            step = self._step(text, at)
            if step is None:
                break
            piece, at = step
            yield piece
        if last or len(text) - at > LONGEST_TAG:
            yield text[at:]
            at = len(text)
        self._left = text[at:]

    def _step(self, text: str, at: int) -> tuple[str, int] | None:
        """The next finished piece and where it ends; None when more is needed."""
        if self._inside:
            end = text.lower().find(f"</{self._inside}", at)
            if end < 0:
                keep = max(at, len(text) - len(self._inside) - 2)
                return (text[at:keep], keep) if keep > at else None
            self._inside = ""
            return text[at:end] + "</", end + 2
        start = text.find("<", at)
        if start != at:
            return (text[at:], len(text)) if start < 0 else (text[at:start], start)
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
            return (text[at : end + 3], end + 3) if end >= 0 else None
        if len(text) - at < 4 and "<!--".startswith(text[at:]):
            return None
        tag = _TAG.match(text, at)
        if tag is not None:
            return self._tag(tag), tag.end()
        if at + 1 < len(text) and not text[at + 1].isalpha():
            return "<", at + 1
        return None

    def _tag(self, tag: re.Match[str]) -> str:
        name = tag[1].lower()
        if name in _RAW and not tag[2].rstrip().endswith("/"):
            self._inside = name
        wanted = URL_ATTRIBUTES.get(name)
        if wanted is None:
            return tag[0]

        def changed(found: re.Match[str]) -> str:
            if found[1].lower() not in wanted:
                return found[0]
            value = found[3]
            mark = value[0] if value[0] in "\"'" else ""
            url = html.unescape(value[1:-1] if mark else value)
            made = self._rewrite(url)
            if made == url:
                return found[0]
            return f'{found[1]}{found[2]}"{html.escape(made, quote=True)}"'

        return f"<{tag[1]}{_ATTRIBUTE.sub(changed, tag[2])}>"
