"""NodeAgent: one node. It hands pods to workers, watches the runtime for them, and keeps the Node object and Lease.

Tasks of one agent: a worker per pod, `run_relist` (PLEG), `registration.run`, the status writer, references, events.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from kybern.client.messages import Objects
from kybern.client.resources import PODS
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.context import NodeContext
from kybern.node.core.admission import decide_admission, lacking
from kybern.node.core.runtime_pod import RuntimePod
from kybern.node.core.static_pod import mirrored_uid
from kybern.node.cri.client import CriError
from kybern.node.image_gc import PERIOD_SECONDS, ImageCollector, describe
from kybern.node.log_rotation import rotate_logs
from kybern.node.pod_stop import kill_pod, remove_pod
from kybern.node.pod_worker import PodWorker
from kybern.node.registration import Registration
from kybern.node.static_pods import StaticPodWorker, run_static_pods

RELIST_SECONDS = 1.0
BUSY_RELIST_SECONDS = 0.25
BUSY_FOR = timedelta(seconds=10)
RELIST_WITH_EVENTS_SECONDS = 60.0
ORPHAN_GRACE = 10.0
ROTATION_SECONDS = 10.0


@dataclass
class NodeAgent:
    """The kubelet of one node. `run` works until cancelled, and leaves containers running then."""

    node: NodeContext
    registration: Registration
    manifests: Path | None = None  # static pods
    workers: dict[str, PodWorker] = field(default_factory=dict)
    started: asyncio.Event = field(default_factory=asyncio.Event)  # pods may be handed in
    _tasks: asyncio.TaskGroup | None = None
    _synced: asyncio.Event = field(default_factory=asyncio.Event)
    _evented: bool = False
    _unheard: asyncio.Event = field(default_factory=asyncio.Event)  # the runtime did not tell for a while: look now

    def __post_init__(self) -> None:
        self.node.room, self.node.freed = self._room, self._wake_deferred

    async def run(self) -> None:
        node = self.node
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for work in (node.writer.run(), node.references.run(), node.recorder.run(), self.registration.run()):
                tasks.create_task(work)
            tasks.create_task(self.run_relist())
            tasks.create_task(self.run_events())
            tasks.create_task(self.run_orphans())
            if not node.simulated:
                tasks.create_task(self.run_log_rotation())
                tasks.create_task(self.run_image_gc())
            if self.manifests is not None:
                tasks.create_task(run_static_pods(self.manifests, node, self.workers, self._add_static))
            self.started.set()

    def pods_replaced(self, pods: Objects) -> None:
        """What the apiserver has, all of it."""
        uids = {meta.uid(pod) for pod in pods}
        for pod in pods:
            self.pod_changed(pod, "")
        for uid, worker in self.workers.items():
            if uid not in uids and not isinstance(worker, StaticPodWorker):
                worker.remove()
        self._synced.set()

    def pod_changed(self, pod: Object, traceparent: str) -> None:
        uid = meta.uid(pod)
        if mirrored_uid(pod):
            self._mirror_changed(pod, pod)
        elif uid in self.workers:
            self.workers[uid].update(pod, traceparent)
        else:
            self._add(pod, traceparent)

    def _mirror_changed(self, pod: Object, now: Object | None) -> None:
        """A mirror pod came, changed or went; one without its static pod is of no use."""
        worker = self.workers.get(mirrored_uid(pod))
        if isinstance(worker, StaticPodWorker):
            if now is None or worker.mirror is None or meta.is_deleting(now):
                worker.update_mirror(now)
        elif now is not None and self._tasks is not None:
            self._tasks.create_task(self._delete_stray(pod))

    async def _delete_stray(self, pod: Object) -> None:
        try:
            await self.node.client.delete(
                PODS, meta.name(pod), meta.namespace(pod), uid=meta.uid(pod), grace_period_seconds=0
            )
        except StatusError as error:
            self.node.telemetry.log.info("mirror pod %s stays: %s", meta.key(pod), error)

    def pod_deleted(self, pod: Object) -> None:
        if mirrored_uid(pod):
            self._mirror_changed(pod, None)
        elif worker := self.workers.get(meta.uid(pod)):
            if meta.is_deleting(pod):
                worker.update(pod, "")
            worker.remove()

    def _add(self, pod: Object, traceparent: str) -> None:
        assert self._tasks is not None, "pods come after `started`"
        worker = PodWorker(self.node, pod, self._tasks)
        worker.traceparent = traceparent
        self._admit(worker)
        self._run(worker)

    def _admit(self, worker: PodWorker) -> None:
        """Refuse a pod that is new here and does not fit; one that has begun stays."""
        pod = worker.pod
        if (pod.get("status") or {}).get("startTime") or meta.is_deleting(pod):
            return
        if refusal := decide_admission(pod, self._others(pod), self.registration.node):
            worker.report.refuse(pod, *refusal)

    def _others(self, pod: Object) -> list[Object]:
        """The other pods here that have not ended, with what they have been promised.

        Those that the apiserver has let go do not count, as the scheduler does not count them any more.
        """
        workers = [one for one in self.workers.values() if one.uid != meta.uid(pod) and not one.removed]
        return [one.resizing.allocated(one.pod) for one in workers if not one.report.is_terminal(one.pod)]

    def _room(self, pod: Object) -> str:
        """Why there is none for a pod that is here and asks for more."""
        refusal = lacking(pod, self._others(pod), (self.registration.node.get("status") or {}).get("allocatable") or {})
        return refusal[1] if refusal is not None else ""

    def _wake_deferred(self) -> None:
        """There may be room now for those whose resize waits for it."""
        for worker in self.workers.values():
            if worker.resizing.pending is not None:
                worker.wake()

    def _add_static(self, pod: Object) -> None:
        assert self._tasks is not None
        self._run(StaticPodWorker(self.node, pod, self._tasks, lambda: self.registration.node))

    def _run(self, worker: PodWorker) -> None:
        assert self._tasks is not None
        self.workers[worker.uid] = worker
        self.node.metrics.pods.inc()
        self._tasks.create_task(self._run_worker(worker))

    async def _run_worker(self, worker: PodWorker) -> None:
        if not isinstance(worker, StaticPodWorker):
            await self.registration.pods_allowed.wait()
        await worker.run()
        if self.workers.get(worker.uid) is worker:
            del self.workers[worker.uid]
            self.node.metrics.pods.dec()
            self._wake_deferred()

    def find(self, namespace: str, name: str, uid: str = "") -> PodWorker | None:
        """The worker of a pod, by name (and uid, if given)."""
        for worker in self.workers.values():
            if (meta.namespace(worker.pod), meta.name(worker.pod)) == (namespace, name) and uid in ("", worker.uid):
                return worker
        return None

    def changed(self, uid: str) -> None:
        """The runtime did something to a pod."""
        if worker := self.workers.get(uid):
            worker.wake(look=True)

    def references_changed(self, uids: set[str]) -> None:
        for uid in uids:
            if worker := self.workers.get(uid):
                worker.refresh_volumes()

    async def run_relist(self) -> None:
        """PLEG: ask the runtime again and again; seldom where it tells by itself."""
        while True:
            try:
                with self.node.metrics.relist.time():
                    await self.node.cache.relist(self.changed)
                self.registration.runtime_answered(None)
            except CriError as error:
                self.registration.runtime_answered(str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._relist_delay()):
                    await self._unheard.wait()
            self._unheard.clear()

    def _relist_delay(self) -> float:
        if self._evented:
            return RELIST_WITH_EVENTS_SECONDS
        since = self.node.clock.now() - BUSY_FOR
        return BUSY_RELIST_SECONDS if any(w.seen > since for w in self.workers.values()) else RELIST_SECONDS

    async def run_events(self) -> None:
        """Listen to a runtime that tells what happens; without such a stream, relisting alone has to do."""
        while True:
            try:
                async for event in self.node.runtime.container_events():
                    if not self._evented:  # what happened before it began to tell is for a look to find
                        self._evented = True
                        self._unheard.set()
                    self.changed(event.pod_sandbox_status.metadata.uid)
            except CriError as error:
                if not self._evented and error.code.name == "UNIMPLEMENTED":
                    return
            self._evented = False
            self._unheard.set()
            await asyncio.sleep(RELIST_SECONDS)

    async def run_log_rotation(self) -> None:
        while True:
            await asyncio.sleep(ROTATION_SECONDS)
            containers = [c for worker in self.workers.values() for c in worker.runtime.containers]
            stamp = self.node.clock.now().strftime("%Y%m%d-%H%M%S.%f")
            try:
                await rotate_logs(self.node.runtime, containers, stamp)
            except OSError as error:
                self.node.telemetry.log.warning("logs are not rotated: %s", error)

    async def run_image_gc(self) -> None:
        collector = ImageCollector(self.node.runtime)
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            if said := await describe(collector, self.node.clock.now()):
                self.node.telemetry.log.info("node %s: %s", self.node.name, said)

    async def run_orphans(self) -> None:
        """Once both sides are known: stop pods of this node that the apiserver does not have, drop their files."""
        await self._synced.wait()
        while True:
            try:
                await self.node.cache.relist(self.changed)
                for uid in self.node.cache.uids() - self.workers.keys():
                    await self._stop_orphan(await self.node.cache.fetch(uid))
                for uid in set(await self.node.host.pods()) - self.workers.keys() - self.node.cache.uids():
                    await self.node.host.forget_directory(uid)
            except (CriError, OSError) as error:
                self.node.telemetry.log.info("orphaned pods: again later: %s", error)
            await asyncio.sleep(60.0)

    async def _stop_orphan(self, runtime: RuntimePod) -> None:
        self.node.telemetry.log.info("stopping pod %s/%s: it no longer exists", runtime.namespace, runtime.name)
        pod: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": runtime.namespace, "name": runtime.name, "uid": runtime.uid},
            "spec": {"containers": []},
        }
        await kill_pod(self.node, pod, runtime, ORPHAN_GRACE)
        await remove_pod(self.node, runtime)
        await self.node.host.forget(pod)
