"""The Summary API (stats/v1alpha1) of one node, from CRI's container statistics."""

from typing import Any

from kybern.kube.meta import Object, format_time
from kybern.node.agent import NodeAgent
from kybern.node.core import labels
from kybern.node.core.runtime_pod import from_nanos
from kybern.node.cri.client import CriError
from kybern.protos.runtime.v1 import api_pb2 as cri


def container_stats(stats: cri.ContainerStats) -> Object:
    """One container's figures."""
    moment = from_nanos(stats.cpu.timestamp or stats.memory.timestamp)
    time = format_time(moment) if moment else None
    memory = stats.memory.working_set_bytes.value
    return {
        "name": stats.attributes.labels.get(labels.CONTAINER_NAME, stats.attributes.metadata.name),
        "startTime": time,
        "cpu": {"time": time, "usageCoreNanoSeconds": stats.cpu.usage_core_nano_seconds.value}
        | ({"usageNanoCores": stats.cpu.usage_nano_cores.value} if stats.cpu.HasField("usage_nano_cores") else {}),
        "memory": {
            "time": time,
            "workingSetBytes": memory,
            "usageBytes": stats.memory.usage_bytes.value or memory,
            "rssBytes": stats.memory.rss_bytes.value,
        },
        "rootfs": {"time": time, "usedBytes": stats.writable_layer.used_bytes.value},
    }


async def summarize(agent: NodeAgent) -> Object:
    """The node's Summary. A runtime that does not answer leaves the pods out."""
    now = format_time(agent.node.clock.now())
    try:
        stats = await agent.node.runtime.list_container_stats()
    except CriError:
        stats = []
    pods: dict[str, Any] = {}
    for one in stats:
        own = one.attributes.labels
        if own.get(labels.NODE) != agent.node.name:
            continue
        reference = {"name": own[labels.POD_NAME], "namespace": own[labels.POD_NAMESPACE], "uid": own[labels.POD_UID]}
        pod = pods.setdefault(own[labels.POD_UID], {"podRef": reference, "startTime": now, "containers": []})
        pod["containers"].append(container_stats(one))
    for pod in pods.values():
        cpu = sum(c["cpu"]["usageCoreNanoSeconds"] for c in pod["containers"])
        memory = sum(c["memory"]["workingSetBytes"] for c in pod["containers"])
        pod["cpu"] = {"time": now, "usageCoreNanoSeconds": cpu}
        pod["memory"] = {"time": now, "workingSetBytes": memory, "usageBytes": memory}
    total = {"time": now, "usageCoreNanoSeconds": sum(p["cpu"]["usageCoreNanoSeconds"] for p in pods.values())}
    used = {"time": now, "workingSetBytes": sum(p["memory"]["workingSetBytes"] for p in pods.values())}
    return {
        "node": {"nodeName": agent.node.name, "startTime": now, "cpu": total, "memory": used},
        "pods": [*pods.values()],
    }
