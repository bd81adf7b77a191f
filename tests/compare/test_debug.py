"""/debug: what is there, for whom, and in which words; profiles are of Go there and of Python here.

Of Go's profiles Kybern has `goroutine` and `profile`; pages are worded anew.
"""

import pytest
from same import Both
from servers import Server

FLAG = "/debug/flags/v"
DUMP = "/debug/api_priority_and_fairness/dump_"
REQUESTS = f"{DUMP}requests"
ROOT = ("root", "system:masters")


def told(server: Server, method: str, path: str, body: bytes | None = None) -> tuple[int, str, str, bytes]:
    answer = server.ask(method, path, body, {}, ROOT)
    kinds = (answer.headers.get("content-type", ""), answer.headers.get("location", ""))
    return answer.status, *kinds, answer.body


@pytest.mark.parametrize(
    "body", [b"3", b"0", b"x", b"", b"-1", b" 3", b"1_0", b"99999999999", b"2147483648", b"2147483647", b"+1"]
)
def test_verbosity(both: Both, body: bytes) -> None:
    assert told(both.kybern, "PUT", FLAG, body) == told(both.kube, "PUT", FLAG, body)


def test_verbosity_is_put_alone(both: Both) -> None:
    both.ask("PUT", FLAG, b"0")
    for method in ("GET", "POST", "DELETE"):
        assert told(both.kybern, method, FLAG) == told(both.kube, method, FLAG)


PATHS = [
    "/debug", "/debug/", "/debug/flags", "/debug/flags/", "/debug/flags/anything", "/debug/pprof", "/debug/pprof/",
    "/debug/pprof/nothing", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1",
    "/debug/api_priority_and_fairness", "/debug/api_priority_and_fairness/", f"{DUMP}nothing", REQUESTS,
    f"{DUMP}queues", f"{DUMP}priority_levels",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_what_is_there(both: Both, path: str) -> None:
    theirs, ours = (told(server, "GET", path) for server in (both.kube, both.kybern))
    assert ours[:3] == theirs[:3]
    if theirs[0] != 200:
        assert ours[3] == theirs[3]


@pytest.mark.parametrize("path", [FLAG, "/debug/pprof/", "/debug/pprof/profile", REQUESTS, f"{DUMP}queues"])
def test_for_whom(both: Both, path: str) -> None:
    theirs, ours = (server.ask("GET", path, None, {}, ("bob",)) for server in (both.kube, both.kybern))
    assert (ours.status, ours.document["message"]) == (theirs.status, theirs.document["message"])
    assert ours.status == 403


@pytest.mark.parametrize(
    "query", ["", "?includeRequestDetails", "?includeRequestDetails=1", "?includeRequestDetails=0"]
)
def test_columns_of_requests(both: Both, query: str) -> None:
    """And the request itself, but for its times, the only one that both are answering."""
    heads = []
    for server in (both.kube, both.kybern):
        rows = [
            [text.strip() for text in line.split(",")]
            for line in told(server, "GET", REQUESTS + query)[3].decode().splitlines()
        ]
        (own,) = (row for row in rows[1:] if row[0] == "exempt" and (len(row) < 12 or row[12] == REQUESTS))
        heads.append((rows[0], own[:5], own[6:9], own[10:]))
    assert heads[0] == heads[1]


def test_profiles_are_for_long(both: Both) -> None:
    """They take no seat: no header names a level."""
    for server in (both.kube, both.kybern):
        answer = server.ask("GET", "/debug/pprof/profile?seconds=1", None, {}, ROOT)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
        assert answer.headers["content-disposition"] == 'attachment; filename="profile"'
        assert answer.body.startswith(b"\x1f\x8b")
        assert not [name for name in answer.headers if name.startswith("x-kubernetes-pf")]
