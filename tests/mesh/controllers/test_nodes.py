"""Nodes that fall silent or go away, their networks, their pods; and who leads."""

import asyncio
from typing import Any

from kybern.client.resources import LEASES, NODES, PODS
from kybern.controllers.service import SERVICE as CONTROLLERS
from kybern.kube.conditions import get_condition


async def taints(cluster: Any, name: str) -> set[tuple[str, str]]:
    node = await cluster.admin.get(NODES, name)
    return {(taint["key"].split("/")[1], taint["effect"]) for taint in node["spec"].get("taints", [])}


def test_a_silent_node_is_tainted_and_its_pods_move(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(replicas=4)
        await cluster.rolled_out()
        assert await taints(cluster, "n0") == set()
        cluster.nodes.dead.add("n0")
        await asyncio.sleep(75)
        node = await cluster.admin.get(NODES, "n0")
        ready = get_condition(node, "Ready")
        assert ready is not None
        assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
        assert await taints(cluster, "n0") == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
        pods = (await cluster.admin.list(PODS, "default")).items
        on_dead = [pod for pod in pods if pod["spec"].get("nodeName") == "n0"]
        assert on_dead
        assert all((get_condition(pod, "Ready") or {})["status"] == "False" for pod in on_dead)
        assert not any(pod["metadata"].get("deletionTimestamp") for pod in on_dead)
        await asyncio.sleep(310)  # tolerated for five minutes
        pods = (await cluster.admin.list(PODS, "default")).items
        on_dead = [pod for pod in pods if pod["spec"].get("nodeName") == "n0"]
        assert all(pod["metadata"].get("deletionTimestamp") for pod in on_dead)
        assert all(get_condition(pod, "DisruptionTarget") for pod in on_dead)
        assert sum(pod["spec"].get("nodeName") == "n1" for pod in pods) == 4
        await cluster.admin.delete(NODES, "n0")
        await asyncio.sleep(90)
        pods = (await cluster.admin.list(PODS, "default")).items
        assert {pod["spec"]["nodeName"] for pod in pods} == {"n1"}

    simulate(test)


def test_a_node_that_comes_back_loses_its_taints_and_keeps_its_pods(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment(replicas=4)
        await cluster.rolled_out()
        before = await cluster.names(PODS)
        cluster.nodes.dead.add("n0")
        await asyncio.sleep(100)
        assert ("unreachable", "NoExecute") in await taints(cluster, "n0")
        cluster.nodes.dead.discard("n0")
        status = {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:02:00Z"}]}
        await cluster.admin.patch(NODES, "n0", patch={"status": status}, subresource="status")
        await asyncio.sleep(10)
        assert await taints(cluster, "n0") == set()
        await asyncio.sleep(400)
        assert await cluster.names(PODS) == before

    simulate(test)


def test_pods_stay_when_all_nodes_are_silent(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        await cluster.deployment()
        await cluster.rolled_out()
        before = await cluster.names(PODS)
        cluster.nodes.dead |= {"n0", "n1"}
        await asyncio.sleep(900)
        assert await taints(cluster, "n0") == {("unreachable", "NoSchedule")}
        assert await cluster.names(PODS) == before

    simulate(test)


def test_each_node_has_a_network_of_its_own(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        for number in range(2, 6):
            await cluster.nodes.add(f"n{number}")
        await asyncio.sleep(1)
        cidrs = [node["spec"]["podCIDR"] for node in (await cluster.admin.list(NODES)).items]
        assert sorted(cidrs) == [f"10.244.{n}.0/24" for n in range(6)]
        await cluster.admin.delete(NODES, "n0")
        await asyncio.sleep(1)
        for number in range(6, 9):
            await cluster.nodes.add(f"n{number}", heartbeat=False)
        await asyncio.sleep(1)
        cidrs = [node["spec"]["podCIDR"] for node in (await cluster.admin.list(NODES)).items]
        assert len(set(cidrs)) == len(cidrs) == 8

    simulate(test)


def test_one_of_two_leads_and_the_other_takes_over(simulate: Any) -> None:
    async def test(cluster: Any) -> None:
        second = await cluster.net.start(
            CONTROLLERS, "--leader-elect", "--leader-elect-identity", "second", address="controllers:2"
        )
        lease = await cluster.admin.get(LEASES, "kube-controller-manager", "kube-system")
        assert lease["spec"]["holderIdentity"] == "first"
        await cluster.deployment()
        await cluster.rolled_out()
        await cluster.controllers.stop()
        lease = await cluster.admin.get(LEASES, "kube-controller-manager", "kube-system")
        assert not lease["spec"].get("holderIdentity")
        await cluster.deployment("other")
        await cluster.rolled_out("other")
        lease = await cluster.admin.get(LEASES, "kube-controller-manager", "kube-system")
        assert lease["spec"]["holderIdentity"] == "second"
        assert lease["spec"]["leaseTransitions"] >= 1
        await second.stop()

    simulate(test, "--leader-elect", "--leader-elect-identity", "first")


def test_the_same_seed_gives_the_same_cluster(simulate: Any) -> None:
    async def test(cluster: Any) -> list[tuple[str, str]]:
        await cluster.deployment()
        await cluster.rolled_out()
        pods = (await cluster.admin.list(PODS, "default")).items
        return [(pod["metadata"]["name"], pod["metadata"]["resourceVersion"]) for pod in pods]

    first, again, other = (simulate(test, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other
