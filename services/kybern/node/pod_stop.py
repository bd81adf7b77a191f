"""Taking containers and pods down: preStop, SIGTERM, grace, SIGKILL; sidecars after the others; the sandbox last."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.node.context import NodeContext
from kybern.node.core import labels
from kybern.node.core.pod_actions import is_sidecar
from kybern.node.core.resources import startable_containers
from kybern.node.core.runtime_pod import Container, RuntimePod, State
from kybern.node.handlers import Target, run_handler

MIN_GRACE_AFTER_PRE_STOP = 2.0


def grace_period(pod: Object) -> float:
    """Seconds for SIGTERM: the deletion's, else the pod's."""
    given = meta.deletion_grace_period(pod)
    if given is not None:
        return float(given)
    grace = pod["spec"].get("terminationGracePeriodSeconds")
    return 30.0 if grace is None else float(grace)


async def kill_container(
    node: NodeContext, pod: Object, container: Container, grace: float, message: str, address: str = ""
) -> None:
    """Stop one container; preStop runs within its grace period. Raises CriError.

    One that was made and never started has nothing to stop, and would look as if it might run for ever: it is removed.
    """
    if container.state is State.CREATED:
        await node.runtime.remove_container(container.id)
        return
    node.event(pod, "Normal", "Killing", message or f"Stopping container {container.name}", container.name)
    hook = json.loads(container.annotations.get(labels.PRE_STOP) or "null")
    if hook and grace > 0:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            async with asyncio.timeout(grace):
                target = Target(node.runtime, container.id, spec_of(pod, container.name), address)
                outcome = await run_handler(hook, target, grace)
            failed = not outcome.success
        except TimeoutError:
            failed = True
        if failed:
            node.event(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", container.name)
        grace = max(MIN_GRACE_AFTER_PRE_STOP, grace - (loop.time() - begin))
    await node.runtime.stop_container(container.id, grace)


def spec_of(pod: Object, name: str) -> Object:
    """A container as the pod describes it; of a pod that is not known any more, its name."""
    return next((spec for spec in startable_containers(pod) if spec["name"] == name), {"name": name})


async def kill_all(node: NodeContext, pod: Object, containers: Sequence[Container], grace: float, address: str) -> None:
    """Stop containers at once, all of them tried; the first failure is raised in the end."""
    results = await asyncio.gather(
        *(kill_container(node, pod, c, grace, "", address) for c in containers), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def kill_pod(node: NodeContext, pod: Object, runtime: RuntimePod, grace: float) -> None:
    """Stop every container and sandbox of a pod within its grace period. Raises CriError."""
    loop = asyncio.get_running_loop()
    end = loop.time() + grace
    sidecars = [c["name"] for c in pod["spec"].get("initContainers") or [] if is_sidecar(c)]
    sandbox = runtime.ready_sandbox
    address = sandbox.ips[0] if sandbox and sandbox.ips else ""
    await kill_all(node, pod, [c for c in runtime.alive if c.name not in sidecars], grace, address)
    for name in reversed(sidecars):
        alive = [c for c in runtime.alive if c.name == name]
        await kill_all(node, pod, alive, max(MIN_GRACE_AFTER_PRE_STOP, end - loop.time()) if grace else 0, address)
    await asyncio.gather(*(node.runtime.stop_pod_sandbox(s.id) for s in runtime.sandboxes))


async def remove_pod(node: NodeContext, runtime: RuntimePod) -> None:
    """Remove every trace of a stopped pod from the runtime. Raises CriError."""
    await asyncio.gather(*(node.runtime.remove_container(c.id) for c in runtime.containers))
    await asyncio.gather(*(node.runtime.remove_pod_sandbox(s.id) for s in runtime.sandboxes))


def dead_containers(runtime: RuntimePod) -> list[Container]:
    """Containers that nobody asks for any more: all but the newest two of each name (the last is for
    `logs --previous`)."""
    seen: dict[str, int] = {}
    found = []
    for container in runtime.containers:
        seen[container.name] = seen.get(container.name, 0) + 1
        if seen[container.name] > 2 and container not in runtime.alive:
            found.append(container)
    return found


async def collect(node: NodeContext, runtime: RuntimePod) -> RuntimePod:
    """Remove containers of long ago, and sandboxes that nothing is left in; what stays. Raises CriError."""
    old = dead_containers(runtime)
    kept = tuple(c for c in runtime.containers if c not in old)
    used = {c.sandbox for c in kept}
    empty = [s for s in runtime.sandboxes[1:] if not s.ready and s.id not in used]
    if not old and not empty:
        return runtime
    await asyncio.gather(*(node.runtime.remove_container(c.id) for c in old))
    await asyncio.gather(*(node.runtime.remove_pod_sandbox(s.id) for s in empty))
    boxes = tuple(s for s in runtime.sandboxes if s not in empty)
    return replace(runtime, containers=kept, sandboxes=boxes)
