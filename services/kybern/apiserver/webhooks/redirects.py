"""Where an answer sends a call on, as Go's HTTP client follows it.

307 and 308 repeat the request; 301, 302 and 303 ask for the other place with GET, without a body. An answer without a
place is the answer. Credentials go to no other host.
"""

from dataclasses import dataclass, replace

from yarl import URL

MOST = 10  # requests of one call
REPEATED = frozenset({307, 308})
ASKED_WITH_GET = frozenset({301, 302, 303})


@dataclass(frozen=True, slots=True)
class Hop:
    """One request of a call; `url` is as it is shown, `headers` are those beyond the usual ones."""

    url: URL
    method: str
    body: bytes | None
    headers: dict[str, str]


def follow(hop: Hop, code: int, location: str) -> Hop | None:
    """The next request, or None if this was the answer. Raises ValueError for a place that is no URL."""
    if not location or code not in REPEATED | ASKED_WITH_GET:
        return None
    url = hop.url.join(URL(location, encoded=True))
    dropped = set() if url.host == hop.url.host else {"Authorization"}
    if URL(location).absolute:
        dropped.add("Host")  # of a Service: another place is asked by its own name
    if code in ASKED_WITH_GET:
        dropped.add("Content-Type")
    headers = {name: value for name, value in hop.headers.items() if name not in dropped}
    moved = replace(hop, url=url, headers={**headers, "Referer": str(hop.url)})
    return moved if code in REPEATED else replace(moved, method="GET", body=None)
