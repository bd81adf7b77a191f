"""Priority and fairness as clients see it."""

import asyncio
from typing import Any


async def uid(gateway: Any, resource: str, name: str) -> str:
    async with gateway.admin.get(f"/apis/flowcontrol.apiserver.k8s.io/v1/{resource}/{name}") as response:
        found = await response.json()
        return found["metadata"]["uid"]


async def test_answers_name_flow_schema_and_priority_level(gateway: Any) -> None:
    """Short way (twice, parsed and repeated), lists, writes, refusals, documents."""
    schema, level = (
        await uid(gateway, "flowschemas", "exempt"),
        await uid(gateway, "prioritylevelconfigurations", "exempt"),
    )
    paths = ["/api/v1/namespaces/default"] * 3 + ["/api/v1/pods", "/api/v1/namespaces/none", "/apis", "/nowhere"]
    paths.append("/version")
    for path in paths:
        async with gateway.admin.get(path) as response:
            assert response.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema, path
            assert response.headers["X-Kubernetes-PF-PriorityLevel-UID"] == level, path
    body = {"metadata": {"name": "made"}}
    async with gateway.admin.post("/api/v1/namespaces", json=body) as response:
        assert response.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema
    watched = await gateway.admin.get("/api/v1/pods?watch=1&timeoutSeconds=1")
    assert watched.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema
    watched.close()
    other = await uid(gateway, "flowschemas", "global-default")
    async with gateway.client("alice") as alice, alice.get("/api/v1/pods") as response:
        assert response.status == 403
        assert response.headers["X-Kubernetes-PF-FlowSchema-UID"] == other


async def test_flow_schemas_say_whether_their_level_is_there(gateway: Any) -> None:
    base = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
    spec = {"priorityLevelConfiguration": {"name": "nowhere"}, "matchingPrecedence": 50}
    async with gateway.admin.post(base, json={"metadata": {"name": "stray"}, "spec": spec}) as response:
        assert response.status == 201, await response.text()
    for name, wanted in (("stray", "True"), ("catch-all", "False")):
        for _ in range(100):
            async with gateway.admin.get(f"{base}/{name}") as response:
                conditions = (await response.json()).get("status", {}).get("conditions")
            if conditions:
                break
        assert [(c["type"], c["status"]) for c in conditions] == [("Dangling", wanted)]


async def test_dumps_say_what_is_going_on(gateway: Any) -> None:
    base = "/debug/api_priority_and_fairness/dump_"
    async with gateway.admin.get(f"{base}priority_levels") as response:
        assert response.status == 200
        lines = (await response.text()).splitlines()
    assert lines[0].split()[:3] == ["PriorityLevelName,", "ActiveQueues,", "IsIdle,"]
    assert [line.split(",")[0] for line in lines[1:]] == [
        "catch-all", "exempt", "global-default", "leader-election", "node-high", "system", "workload-high",
        "workload-low",
    ]  # fmt: skip
    async with gateway.admin.get(f"{base}queues") as response:
        assert len((await response.text()).splitlines()) == 1 + 128 * 3 + 64 * 2 + 16
    async with gateway.admin.get(f"{base}requests") as response:
        assert (await response.text()).startswith("PriorityLevelName, FlowSchemaName,")
    async with gateway.admin.get(f"{base}nothing") as response:
        assert response.status == 404
    async with gateway.client("bob") as bob, bob.get(f"{base}queues") as response:
        assert response.status == 403


async def close_to_bob(gateway: Any, response: dict[str, Any]) -> None:
    """A priority level without seats for all that one user asks."""
    base = "/apis/flowcontrol.apiserver.k8s.io/v1"
    limited = {"nominalConcurrencyShares": 0, "limitResponse": response}
    level = {"metadata": {"name": "closed"}, "spec": {"type": "Limited", "limited": limited}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
    rule = {
        "subjects": [{"kind": "User", "user": {"name": "bob"}}],
        "resourceRules": [everything],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    }
    spec = {"priorityLevelConfiguration": {"name": "closed"}, "matchingPrecedence": 77, "rules": [rule]}
    for resource, obj in (("prioritylevelconfigurations", level), ("flowschemas", {"spec": spec})):
        body = {**obj, "metadata": {"name": "closed"}}
        async with gateway.admin.post(f"{base}/{resource}", json=body) as made:
            assert made.status == 201, await made.text()


async def test_one_at_a_time_without_seats_and_queues(gateway: Any) -> None:
    """As upstream: nothing waits, and what comes alone is served."""
    await close_to_bob(gateway, {"type": "Reject"})
    async with gateway.client("bob") as bob:
        for path in ("/apis", "/api/v1/pods", "/version"):
            async with bob.get(path) as response:
                assert response.status in (200, 403)


async def test_a_refusal_says_when_to_come_again(gateway: Any) -> None:
    """429 with Retry-After, however the request came: short way, long way, list, watch, write."""
    await close_to_bob(gateway, {"type": "Queue", "queuing": {"queues": 1, "handSize": 1, "queueLengthLimit": 1}})
    schema = await uid(gateway, "flowschemas", "closed")
    async with gateway.client("bob") as bob:
        waits = asyncio.create_task(bob.get("/apis"))  # until a quarter of its time is over
        await asyncio.sleep(0.1)
        for request in (
            bob.get("/api/v1/namespaces/default"),
            bob.get("/api/v1/namespaces/default"),
            bob.get("/api/v1/namespaces/default?pretty=1"),
            bob.get("/api/v1/pods"),
            bob.get("/api/v1/pods?watch=1"),
            bob.post("/api/v1/namespaces", json={"metadata": {"name": "b"}}),
            bob.get("/apis"),
        ):
            async with request as response:
                said = await response.text()
            assert (response.status, response.headers["Retry-After"]) == (429, "1"), response.url
            assert response.content_type == "text/plain"
            assert response.headers["X-Kubernetes-PF-FlowSchema-UID"] == schema
            assert said == "Too many requests, please try again later.\n"
        async with bob.get("/livez") as response:
            assert response.status == 200
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)


async def test_streams_to_pods_belong_nowhere(gateway: Any) -> None:
    for path in ("pods/none/log", "services/none/proxy/"):
        async with gateway.admin.get(f"/api/v1/namespaces/default/{path}") as response:
            assert (response.status, "X-Kubernetes-PF-FlowSchema-UID" in response.headers) == (404, False)


async def test_who_writes_the_defaults_and_their_conditions(gateway: Any) -> None:
    path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/catch-all"
    expected = {
        ("api-priority-and-fairness-config-consumer-v1", "Apply", "status"),
        ("api-priority-and-fairness-config-producer-v1", "Update", ""),
    }
    for _ in range(50):
        async with gateway.admin.get(path) as response:
            entries = (await response.json())["metadata"]["managedFields"]
        if len(entries) == len(expected):
            break
        await asyncio.sleep(0.05)
    assert {(one["manager"], one["operation"], one.get("subresource", "")) for one in entries} == expected
