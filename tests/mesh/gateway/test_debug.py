"""/debug: flow control's requests with details, profiles, log levels; for whoever may, and where it is on."""

import asyncio
import gzip
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REQUESTS = "/debug/api_priority_and_fairness/dump_requests"
PATHS = ("/debug/pprof", "/debug/pprof/", "/debug/pprof/goroutine", "/debug/flags", "/debug/flags/v")


@pytest.fixture
def level() -> Iterator[logging.Logger]:
    """The root logger, as it was."""
    root = logging.getLogger()
    before = root.level
    yield root
    root.setLevel(before)


async def test_log_levels_are_changed(gateway: Any, level: logging.Logger) -> None:
    rows = [
        ("PUT", b"4", 200, "successfully set klog.logging.verbosity to 4\n", logging.DEBUG),
        ("PUT", b"2", 200, "successfully set klog.logging.verbosity to 2\n", logging.INFO),
        ("PUT", b"x", 400, 'strconv.ParseUint: parsing "x": invalid syntax\n', logging.INFO),
        ("PUT", b"-1", 400, 'strconv.ParseUint: parsing "-1": invalid syntax\n', logging.INFO),
        ("PUT", b"4294967296", 400, 'strconv.ParseUint: parsing "4294967296": value out of range\n', logging.INFO),
        ("POST", b"9", 406, "unsupported http method\n", logging.INFO),
        ("GET", None, 406, "unsupported http method\n", logging.INFO),
    ]
    for method, body, status, text, wanted in rows:
        async with gateway.admin.request(method, "/debug/flags/v", data=body) as response:
            assert (response.status, await response.text()) == (status, text)
        assert level.level == wanted
    async with gateway.admin.get("/debug/flags/anything") as response:
        assert "/debug/flags/" in await response.text()


@pytest.mark.parametrize("path", [*PATHS, REQUESTS])
async def test_not_everybody_may(gateway: Any, path: str, level: logging.Logger) -> None:
    before = level.level
    async with gateway.client("bob") as bob, bob.put(path, data=b"9") as response:
        assert response.status == 403
        assert f'cannot put path \\"{path}\\"' in await response.text()
    assert level.level == before


async def test_a_profile_of_both_services(gateway: Any) -> None:
    async def ask() -> tuple[int, bytes]:
        async with gateway.admin.get("/debug/pprof/profile?seconds=1") as response:
            return response.status, await response.read()

    first = asyncio.create_task(ask())
    for _ in range(40):
        async with gateway.admin.get("/api/v1/pods") as response:
            await response.read()
    assert await ask() == (500, b"Could not enable CPU profiling: cpu profiling already in use\n")
    status, body = await first
    assert status == 200
    assert {b"gateway", b"apiserver", b"nanoseconds"} <= {name for name in (b"gateway", b"apiserver", b"nanoseconds")
                                                          if name in gzip.decompress(body)}  # fmt: skip


async def test_the_index_and_what_tasks_wait_for(gateway: Any) -> None:
    async with gateway.admin.get("/debug/pprof", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/debug/pprof/")
    async with gateway.admin.get("/debug/pprof/") as response:
        page = await response.text()
    for name in ("goroutine", "profile"):
        assert f"<a href='{name}'>" in page
    async with gateway.admin.get("/debug/pprof/goroutine?debug=2") as response:
        text = await response.text()
        assert "X-Kubernetes-PF-FlowSchema-UID" not in response.headers
    assert text.startswith("gateway (pid")
    assert "\napiserver (pid" in text
    async with gateway.admin.get("/debug/pprof/heap") as response:
        assert (response.status, await response.text()) == (404, "Unknown profile\n")


async def test_nothing_of_it_without_profiling(fronts: Any, tmp_path: Path, unused_tcp_port: int) -> None:
    async with fronts(tmp_path, unused_tcp_port, {"profiling": "false"}) as gateway:
        for path in PATHS:
            async with gateway.admin.get(path) as response:
                assert response.status == 404
        async with gateway.admin.get(REQUESTS) as response:
            assert response.status == 200


async def test_requests_are_told_with_details(gateway: Any) -> None:
    """The dump itself, and one that waits for a seat which there is none of."""
    base = "/apis/flowcontrol.apiserver.k8s.io/v1"
    queuing = {"queues": 1, "handSize": 1, "queueLengthLimit": 5}
    limited = {"nominalConcurrencyShares": 0, "limitResponse": {"type": "Queue", "queuing": queuing}}
    level = {"metadata": {"name": "jail"}, "spec": {"type": "Limited", "limited": limited}}
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "bob"}}],
        "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
        ],
    }
    spec = {"priorityLevelConfiguration": {"name": "jail"}, "matchingPrecedence": 50, "rules": [rule]}
    schema = {"metadata": {"name": "jail"}, "spec": {**spec, "distinguisherMethod": {"type": "ByUser"}}}
    for path, obj in (("prioritylevelconfigurations", level), ("flowschemas", schema)):
        async with gateway.admin.post(f"{base}/{path}", json=obj) as response:
            assert response.status == 201, await response.text()
    async with gateway.client("bob") as bob:
        waiting = asyncio.create_task(bob.get("/apis/apps/v1/namespaces/default/deployments/d?timeout=4s"))
        for _ in range(100):
            async with gateway.admin.get(f"{REQUESTS}?includeRequestDetails=1") as response:
                lines = (await response.text()).splitlines()
            if len(lines) == 3:
                break
            await asyncio.sleep(0.01)
        (await waiting).close()
    head, prisoner, asker = ([text.strip() for text in line.split(",")] for line in lines)
    assert head[-8:] == [
        "UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource",
    ]  # fmt: skip
    assert prisoner[:5] == ["jail", "jail", "0", "0", "bob"]
    path = "/apis/apps/v1/namespaces/default/deployments/d"
    assert prisoner[-8:] == ["bob", "get", path, "default", "d", "apps/v1", "deployments", ""]
    assert asker[:4] == ["exempt", "exempt", "-1", "-1"]
    assert asker[-8:] == ["root", "get", REQUESTS, "", "", "", "", ""]
    async with gateway.admin.get(REQUESTS) as response:
        assert "UserName" not in await response.text()
