"""Pods: admission, binding, eviction, streaming connections."""

import asyncio
from typing import Any

import pytest

from kybern.client.objects import Client
from kybern.client.resources import (
    BINDINGS,
    NAMESPACES,
    NODES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    PRIORITY_CLASSES,
    SERVICE_ACCOUNTS,
)
from kybern.kube.status import StatusError
from kybern.protos.api.v1 import objects_pb2 as pb


async def refused(awaitable: Any) -> StatusError:
    with pytest.raises(StatusError) as caught:
        await awaitable
    return caught.value


def body(name: str = "p", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "i"}]
    metadata = {"name": name, "namespace": "default", "labels": labels or {}}
    return {"metadata": metadata, "spec": {"containers": containers, **spec}}


async def test_what_admission_and_defaults_add(admin: Client) -> None:
    pod = await admin.create(PODS, body())
    spec = pod["spec"]
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert spec["serviceAccountName"] == "default"
    assert spec["restartPolicy"] == "Always"
    assert spec["priority"] == 0
    assert spec["preemptionPolicy"] == "PreemptLowerPriority"
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert spec["containers"][0]["volumeMounts"] == [
        {"name": volume["name"], "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    ]
    assert {(t["key"], t["tolerationSeconds"]) for t in spec["tolerations"]} == {
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    }


async def test_no_service_account(admin: Client) -> None:
    error = await refused(admin.create(PODS, body(serviceAccountName="nobody")))
    assert error.message == (
        'pods "p" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found'
    )


async def test_the_default_account_of_a_new_namespace_is_waited_for(admin: Client) -> None:
    await admin.create(NAMESPACES, {"metadata": {"name": "new"}})
    pod = body()
    pod["metadata"]["namespace"] = "new"
    async with asyncio.TaskGroup() as tasks:
        made = tasks.create_task(admin.create(PODS, pod))
        await asyncio.sleep(0.05)
        assert not made.done()
        await admin.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": "new"}})
    assert made.result()["spec"]["serviceAccountName"] == "default"


async def test_no_token_when_not_wanted(admin: Client) -> None:
    pod = await admin.create(PODS, body(automountServiceAccountToken=False))
    assert "volumes" not in pod["spec"]


async def test_priority_classes(admin: Client) -> None:
    await admin.create(PRIORITY_CLASSES, {"metadata": {"name": "high"}, "value": 100, "preemptionPolicy": "Never"})
    pod = await admin.create(PODS, body(priorityClassName="high"))
    assert (pod["spec"]["priority"], pod["spec"]["preemptionPolicy"]) == (100, "Never")
    system = await admin.create(PODS, body("s", priorityClassName="system-node-critical"))
    assert system["spec"]["priority"] == 2000001000
    error = await refused(admin.create(PODS, body("x", priorityClassName="none")))
    assert "no PriorityClass with name none was found" in error.message
    await admin.create(PRIORITY_CLASSES, {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True})
    assert (await admin.create(PODS, body("d")))["spec"]["priority"] == 7


@pytest.mark.parametrize("to_subresource", [True, False])
async def test_binding(admin: Client, to_subresource: bool) -> None:
    await admin.create(PODS, body())
    target = {"kind": "Node", "apiVersion": "v1", "name": "n"}
    binding = {"metadata": {"name": "p", "namespace": "default"}, "target": target}
    if to_subresource:
        answer = await admin.create_subresource(PODS, "binding", "p", binding, "default")
    else:
        answer = await admin.create(BINDINGS, binding)
    assert answer["status"] == "Success"
    pod = await admin.get(PODS, "p", "default")
    assert pod["spec"]["nodeName"] == "n"
    assert pod["metadata"]["generation"] == 1
    (condition,) = pod["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("PodScheduled", "True")
    error = await refused(admin.create_subresource(PODS, "binding", "p", binding, "default"))
    assert error.message == ('Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n"')


async def test_binding_what_is_not_there(admin: Client) -> None:
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    assert (await refused(admin.create_subresource(PODS, "binding", "p", binding, "default"))).code == 404


async def test_a_bound_pod_cannot_move(admin: Client) -> None:
    pod = await admin.create(PODS, body(nodeName="n"))
    pod["spec"]["nodeName"] = "m"
    assert (await refused(admin.update(PODS, pod))).reason == "Invalid"


async def test_eviction_respects_budgets(admin: Client) -> None:
    await admin.create(PODS, body(labels={"app": "x"}))
    budget = {"metadata": {"name": "b", "namespace": "default"}, "spec": {"minAvailable": 1}}
    budget["spec"]["selector"] = {"matchLabels": {"app": "x"}}
    made = await admin.create(POD_DISRUPTION_BUDGETS, budget)
    await admin.update_status(POD_DISRUPTION_BUDGETS, {**made, "status": status(made, 0)})
    pod = await admin.get(PODS, "p", "default")
    ready = [{"type": "Ready", "status": "True"}]
    await admin.update_status(PODS, {**pod, "status": {"phase": "Running", "conditions": ready}})
    eviction = {"metadata": {"name": "p", "namespace": "default"}}
    error = await refused(admin.create_subresource(PODS, "eviction", "p", eviction, "default"))
    assert (error.code, error.message) == (429, "Cannot evict pod as it would violate the pod's disruption budget.")
    assert error.details["causes"][0]["reason"] == "DisruptionBudget"
    made = await admin.get(POD_DISRUPTION_BUDGETS, "b", "default")
    await admin.update_status(POD_DISRUPTION_BUDGETS, {**made, "status": status(made, 1)})
    older = {**eviction, "apiVersion": "policy/v1beta1", "kind": "Eviction"}
    answer = await admin.create_subresource(PODS, "eviction", "p", older, "default")
    assert answer["status"] == "Success"
    after = (await admin.get(POD_DISRUPTION_BUDGETS, "b", "default"))["status"]
    assert after["disruptionsAllowed"] == 0
    assert "p" in after["disruptedPods"]
    (told,) = (one for one in after["conditions"] if one["type"] == "DisruptionAllowed")
    assert (told["status"], told["reason"], told["message"]) == ("False", "InsufficientPods", "")
    assert (await refused(admin.get(PODS, "p", "default"))).code == 404


async def test_an_evicted_pod_says_so(admin: Client) -> None:
    pod = body()
    pod["metadata"]["finalizers"] = ["example.com/wait"]
    await admin.create(PODS, pod)
    await admin.create_subresource(
        PODS, "eviction", "p", {"metadata": {"name": "p", "namespace": "default"}}, "default"
    )
    left = await admin.get(PODS, "p", "default")
    assert left["metadata"]["deletionTimestamp"]
    found = next(one for one in left["status"]["conditions"] if one["type"] == "DisruptionTarget")
    assert (found["status"], found["reason"]) == ("True", "EvictionByEvictionAPI")


def status(budget: dict[str, Any], allowed: int) -> dict[str, Any]:
    return {
        "disruptionsAllowed": allowed,
        "currentHealthy": 1 + allowed,
        "desiredHealthy": 1,
        "expectedPods": 1 + allowed,
        "observedGeneration": budget["metadata"]["generation"],
    }


async def connect(admin: Client, subresource: str, name: str = "p", container: str = "", verb: str = "get") -> Any:
    resource = pb.Resource(version="v1", resource="pods", subresource=subresource, namespace="default")
    request = pb.ConnectRequest(resource=resource, name=name, container=container, verb=verb)
    return await admin.calls.call("connect", request, "", 5)


@pytest.fixture
def connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    from kybern.client import calls

    monkeypatch.setitem(calls.METHODS, "connect", "Connect")


async def test_connect_finds_node_and_container(admin: Client, connecting: None) -> None:
    node = await admin.create(NODES, {"metadata": {"name": "n"}})
    await admin.create(PODS, body(nodeName="n"))
    node["status"] = {
        "addresses": [{"type": "InternalIP", "address": "10.0.0.9"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }
    await admin.update_status(NODES, node)
    answer = await connect(admin, "log")
    assert (answer.node_name, answer.target, answer.server_name, answer.container) == (
        "n", "10.0.0.9:10250", "n.node.kybern", "c",
    )  # fmt: skip
    await admin.patch(NODES, "n", patch={"metadata": {"annotations": {"kybern.io/agent-target": "unix:/x"}}})
    assert (await connect(admin, "exec")).target == "unix:/x"
    error = await refused(connect(admin, "log", container="zz"))
    assert (error.code, error.message) == (400, "container zz is not valid for pod p")
    assert (await refused(connect(admin, "exec", name="none"))).message == 'pods "none" not found'


async def test_connect_needs_a_choice_of_container(admin: Client, connecting: None) -> None:
    two = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]
    await admin.create(PODS, body(containers=two))
    error = await refused(connect(admin, "log"))
    assert error.message == "a container name must be specified for pod p, choose one of: [a b]"
    note = {"kubectl.kubernetes.io/default-container": "b"}
    await admin.patch(PODS, "p", "default", patch={"metadata": {"annotations": note}})
    assert (await connect(admin, "log")).container == "b"
    assert (await refused(connect(admin, "exec"))).message == "pod p does not have a host assigned"


A_POD = {"metadata": {"name": "a", "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


async def test_an_eviction_names_its_pod(admin: Client) -> None:
    await admin.create(PODS, A_POD)
    for metadata in ({}, {"name": "b"}, {"name": "a", "namespace": "other"}):
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        with pytest.raises(StatusError, match="does not match"):
            await admin.create_subresource(PODS, "eviction", "a", eviction, "default")


@pytest.mark.parametrize(("kind", "zone"), [("Node", "z"), ("", None)])
async def test_zones_come_with_bindings_to_nodes(admin: Client, kind: str, zone: str | None) -> None:
    label = "topology.kubernetes.io/zone"
    await admin.create(NODES, {"metadata": {"name": "zoned", "labels": {label: "z"}}})
    await admin.create(PODS, A_POD)
    binding = {"metadata": {"name": "a", "namespace": "default"}, "target": {"kind": kind, "name": "zoned"}}
    await admin.create_subresource(PODS, "binding", "a", binding, "default")
    bound = await admin.get(PODS, "a", "default")
    assert (bound["metadata"].get("labels") or {}).get(label) == zone
