"""Resizing a pod in place: its cgroup makes room, containers are updated or restarted, its cgroup closes in."""

from collections.abc import Awaitable, Callable

from kybern.kube.meta import Object
from kybern.node.context import NodeContext
from kybern.node.core.pod_actions import Kill
from kybern.node.core.resize import compute_resize, room_for_both, update_request
from kybern.node.core.runtime_pod import RuntimePod


async def apply_resize(
    node: NodeContext,
    pod: Object,
    runtime: RuntimePod,
    given: dict[str, Object],
    kill: Callable[[Kill], Awaitable[None]],
) -> bool:
    """Give running containers what the pod asks for now, and note it in `given`; whether anything changed.

    Raises CriError.
    """
    wanted = compute_resize(pod, runtime, given)
    if not wanted.update and not wanted.restart:
        return False
    await node.host.make_cgroup(pod, room_for_both(pod, runtime, given))
    for container, spec in wanted.update:
        await node.runtime.update_container_resources(container.id, update_request(spec))
        given[container.id] = spec.get("resources") or {}
    for container in wanted.restart:
        await kill(Kill(container, "Resized", f"Container {container.name} resize requires restart"))
    await node.host.make_cgroup(pod)
    return True
