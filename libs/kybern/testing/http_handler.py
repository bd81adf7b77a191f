"""What handlers of HTTP connections under test share: plain heads, one audit id, early bodies by their path."""

from collections.abc import Callable
from typing import Any

Headers = tuple[tuple[bytes, bytes], ...]


class PlainHandler:
    """Knows no requests by their words; bodies of paths below `/early` are read while they come."""

    def get_again(self, reply: Any, line: bytes, head: Any) -> bool:
        return False

    def create_again(self, reply: Any, head: Any, body: bytes) -> bool:
        return False

    def begin(self, request: Any, said: Any) -> bool:
        return False

    def passes_on(self, target: bytes) -> bool:
        return target.startswith(b"/early")

    def standard_headers(self, request: Any) -> Headers:
        return ((b"Audit-Id", b"a"),)

    def plain_head(self, flow: str, status: int, render: Callable[[int, Headers], bytes]) -> bytes:
        return render(status, ())

    def audit_id(self) -> bytes:
        return b"a"
