"""Builders of Kubernetes objects for tests: only what matters is said, the rest is plausible."""

from typing import Any

Object = dict[str, Any]


def make_node(name: str = "node", *, taints: Any = (), unschedulable: bool = False, **members: Any) -> Object:
    """A Node with 4 CPUs, 8Gi and 110 pods; keywords: labels, images, and `allocatable` to change amounts."""
    amounts = {"cpu": "4", "memory": "8Gi", "pods": "110", **members.get("allocatable", {})}
    node: Object = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **members.get("labels", {})}},
        "spec": {"taints": [dict(zip(("key", "value", "effect"), taint, strict=True)) for taint in taints]},
        "status": {"allocatable": amounts, "capacity": amounts, "images": members.get("images", [])},
    }
    if unschedulable:
        node["spec"]["unschedulable"] = True
    return node


def make_pod(
    name: str = "pod",
    *,
    requests: dict[str, str] | None = None,
    host_ports: Any = (),
    labels: dict[str, str] | None = None,
    namespace: str = "default",
    node: str = "",
    image: str = "pause",
    **spec: Any,
) -> Object:
    """A Pod with one container; `host_ports` are numbers or (address, protocol, port); the rest goes into spec."""
    container: Object = {"name": "main", "image": image, "resources": {"requests": requests or {}}}
    triples = [port if isinstance(port, tuple) else ("", "TCP", port) for port in host_ports]
    if triples:
        container["ports"] = [
            {"hostIP": address, "protocol": protocol, "hostPort": port, "containerPort": port}
            for address, protocol, port in triples
        ]
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "labels": labels or {}},
        "spec": {"containers": [container], **spec},
        "status": {"phase": "Pending"},
    }
    if node:
        pod["spec"]["nodeName"] = node
    return pod
