"""Whatever is asked, by any path, query, selector or body, the answer is a proper one."""

import asyncio
import os
import string
from random import Random
from typing import Any

import pytest

WORDS = (
    *(
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "deployments",
        "status",
        "watch",
        "proxy",
        "x",
        "scale",
    ),
    *(
        "",
        ".",
        "..",
        "%2F",
        "%00",
        "%",
        "%zz",
        "é",
        "~",
        "*",
        "a" * 400,
        "configmaps",
        "log",
        "exec",
        "metadata.name",
        "finalize",
    ),
)
NAMES = (
    *(
        "watch",
        "limit",
        "continue",
        "resourceVersion",
        "resourceVersionMatch",
        "labelSelector",
        "fieldSelector",
        "pretty",
    ),
    *(
        "timeoutSeconds",
        "timeout",
        "sendInitialEvents",
        "allowWatchBookmarks",
        "dryRun",
        "fieldManager",
        "gracePeriodSeconds",
    ),
    *("propagationPolicy", "includeObject", "container", "command", "tailLines", "follow", "orphanDependents", "x"),
)
VALUES = (
    *(
        "",
        "1",
        "-1",
        "0",
        "true",
        "false",
        "x",
        "All",
        "Exact",
        "NotOlderThan",
        "99999999999999999999",
        "1s",
        "é",
        "%00",
    ),
    *(
        "a=b",
        "a in (b",
        "a notin (b,c),!d",
        "a==b,c!=d",
        "metadata.name=x",
        "spec.nodeName!=",
        "a>1",
        "!!a",
        ",",
        "(",
        "a=b=c",
    ),
)
ACCEPTS = (
    *(
        "*/*",
        "application/json",
        "application/yaml",
        "text/html",
        "",
        "a/b;q=x",
        "application/json;as=Table;g=meta.k8s.io;v=v1",
    ),
    *(
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/vnd.kubernetes.protobuf",
        ";;;,",
    ),
)
TYPES = (
    *(
        "application/json",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
        "",
        "a",
        "multipart/form-data",
    ),
    *("application/json-patch+json", "application/apply-patch+yaml", "application/json; charset=utf-16"),
)
BODIES = (
    *(
        b"",
        b"{",
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b"\xff\xfe",
        b"k8s\x00",
        b"k8s\x00\x0a\xff\xff\xff\xff\x0f",
        b"a: &a [*a]",
    ),
    *(
        b"a: *b",
        b"- - -",
        b"!!python/object:os.system x",
        b"[" * 5000,
        b'{"a":' * 5000,
        b"k8s\x00" + bytes(range(256)),
        b"? x",
    ),
)
ROUNDS, STEPS = int(os.environ.get("FUZZ_ROUNDS", "6")), 40
FAILURES = frozenset({500, 501, 502, 503, 504})


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_any_request(gateway: Any, seed: int) -> None:
    random = Random(seed)
    for _ in range(STEPS):
        path = "/" + "/".join(random.choice(WORDS) for _ in range(random.randrange(9)))
        if random.random() < 0.6:
            path = "/api/v1/namespaces/default/" + "/".join(random.choice(WORDS) for _ in range(random.randrange(1, 4)))
        query = "&".join(f"{random.choice(NAMES)}={quote(random.choice(VALUES))}" for _ in range(random.randrange(4)))
        headers = f"Accept: {random.choice(ACCEPTS)}\r\nContent-Type: {random.choice(TYPES)}\r\n"
        if random.random() < 0.1:
            headers += f"Impersonate-User: {random.choice(('', 'x', 'system:serviceaccount:a'))}\r\n"
        method = random.choice(
            ("GET", "GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW")
        )
        body = random.choice(BODIES) if method in ("POST", "PUT", "PATCH", "DELETE") else b""
        line = f"{method} {path}{'?' + query if query else ''} HTTP/1.1"
        code = await status_of(gateway, f"{line}\r\nHost: x\r\n{headers}Content-Length: {len(body)}\r\n", body)
        assert code not in FAILURES or "proxy" in path or method in ("TRACE", "BREW"), (
            f"{code} for {line} {headers} {body[:80]!r}"
        )


def quote(text: str) -> str:
    kept = string.ascii_letters + string.digits + "=,()!.-%"
    return "".join(c if c in kept else "".join(f"%{byte:02X}" for byte in c.encode()) for c in text)


async def status_of(gateway: Any, head: str, body: bytes) -> int:
    """The code of the answer to bytes that no client library would send; the connection must go on or end properly."""
    tls = gateway.tls("admin", "system:masters")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, ssl=tls)
    try:
        writer.write(f"{head}Connection: close\r\n\r\n".encode("utf-8", "surrogatepass") + body)
        line = await asyncio.wait_for(reader.readline(), 10)
        assert line.startswith(b"HTTP/1.1 "), f"{line!r} for {head}"
        return int(line.split()[1])
    finally:
        writer.close()
