"""Resizing a pod in place: if the node has room, the pod's cgroup makes some, its containers are updated or restarted.

A resize that the node has no room for is deferred: until there is, the pod keeps what it has been promised, also where
containers restart.
"""

from collections.abc import Awaitable, Callable

from kybern.kube.meta import Object
from kybern.node.context import NodeContext
from kybern.node.core.pod_actions import Kill
from kybern.node.core.resize import Resize, compute_resize, room_for_both, update_request
from kybern.node.core.resize_conditions import (
    DEFERRED,
    ERROR,
    IN_PROGRESS,
    PENDING,
    Condition,
    allocation,
    held,
    resizable,
    told,
    with_resources,
)
from kybern.node.core.runtime_pod import RuntimePod
from kybern.node.cri.client import CriError

LOOK_AGAIN = 30.0  # seconds until a deferred resize is tried again, if nobody makes room before
Killer = Callable[[Kill], Awaitable[None]]


class Resizing:
    """The resizes of one pod. `given` is what its running containers have been given, by id."""

    def __init__(self, node: NodeContext, given: dict[str, Object]) -> None:
        self._node, self._given = node, given
        self.pending: Condition | None = None
        self.progress: Condition | None = None
        self._promised: dict[str, Object] = {}  # resources by container

    def allocated(self, pod: Object) -> Object:
        """The pod with what it has been promised, be that another amount than it asks for."""
        return with_resources(pod, held(pod, self._promised))

    def conditions(self) -> tuple[Object, ...]:
        """What the pod's status says of it."""
        return tuple(one.shown() for one in (self.pending, self.progress) if one is not None)

    async def step(self, pod: Object, runtime: RuntimePod, kill: Killer) -> bool:
        """Bring running containers to what they are promised; whether anything changed. Raises CriError."""
        self._promised = self._promised or allocation(pod, runtime, self._given)
        self._decide(pod)
        mine = self.allocated(pod)
        wanted = compute_resize(mine, runtime, self._given)
        if not wanted.update and not wanted.restart:
            self._completed(mine)
            return False
        try:
            await self._apply(mine, runtime, wanted, kill)
        except CriError as error:
            self._failed(mine, str(error))
            raise
        return True

    def _decide(self, pod: Object) -> None:
        """Promise the pod what it asks for, if the node has room."""
        if not held(pod, self._promised):
            self.pending = None
            return
        now, generation = self._node.clock.now(), pod["metadata"].get("generation") or 0
        lacking = self._node.room(pod)
        if not lacking:
            self._promised = {one["name"]: one.get("resources") or {} for one in resizable(pod)}
            self.pending, self.progress = None, Condition(IN_PROGRESS, generation, now)
            self._node.event(pod, "Normal", "ResizeStarted", told("Pod resize started", pod))
            return
        before = self.pending
        first = before or Condition(PENDING, generation, now, DEFERRED)
        self.pending = first.again(DEFERRED, lacking, generation, now)
        if before is None or before.generation != generation:
            self._node.event(pod, "Warning", "ResizeDeferred", told(f"Pod resize {DEFERRED}", pod, lacking))

    def _completed(self, pod: Object) -> None:
        if self.progress is not None:
            self.progress = None
            self._node.event(pod, "Normal", "ResizeCompleted", told("Pod resize completed", pod))
            self._node.freed()

    def _failed(self, pod: Object, message: str) -> None:
        if self.progress is None:
            return
        failed = self.progress.again(ERROR, message, self.progress.generation, self._node.clock.now())
        if failed != self.progress:
            self.progress = failed
            self._node.event(pod, "Warning", "ResizeError", told("Pod resize error", pod, message))

    async def _apply(self, pod: Object, runtime: RuntimePod, wanted: Resize, kill: Killer) -> None:
        node, given = self._node, self._given
        await node.host.make_cgroup(pod, room_for_both(pod, runtime, given))
        for container, spec in wanted.update:
            await node.runtime.update_container_resources(container.id, update_request(spec))
            given[container.id] = spec.get("resources") or {}
        for container in wanted.restart:
            await kill(Kill(container, "Resized", f"Container {container.name} resize requires restart"))
        await node.host.make_cgroup(pod)
