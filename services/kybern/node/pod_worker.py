"""One pod's worker: looks, decides, acts, reports; one thing after another, woken by whatever changed.

update() / wake()  →  sync: fetch → compute_pod_actions → kill, start → compute_status → StatusWriter
deletion, or the end of all containers  →  kill_pod in a task of its own, so that a shorter grace still counts
"""

import asyncio
from datetime import datetime

from kybern.client.resources import PODS
from kybern.client.tracing import under
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing
from kybern.node.context import NodeContext
from kybern.node.core import pod_actions
from kybern.node.core.pod_actions import PodActions
from kybern.node.core.pod_update import drifted, same_wish
from kybern.node.core.runtime_pod import RuntimePod
from kybern.node.core.volumes import VolumeError
from kybern.node.cri.client import CriError
from kybern.node.pod_agenda import FIRST_RETRY, LONGEST_RETRY, Agenda
from kybern.node.pod_report import PodReport
from kybern.node.pod_resize import LOOK_AGAIN, Resizing
from kybern.node.pod_start import PodStart
from kybern.node.pod_stop import collect, grace_period, kill_container, kill_pod, remove_pod
from kybern.node.probes import Probes
from kybern.node.volumes.sources import PodFacts

DRIFT_SECONDS = 1.0  # after which a status that somebody else has written is put right, if it still stands


class PodWorker:
    """Everything an agent does for one pod. `run` ends when the pod is gone."""

    def __init__(self, node: NodeContext, pod: Object, tasks: asyncio.TaskGroup) -> None:
        self.node, self.pod = node, pod
        self.uid = meta.uid(pod)
        self.runtime = RuntimePod(self.uid, meta.namespace(pod), meta.name(pod))
        self.probes = Probes(node, tasks, self.wake)
        self.report = PodReport(node)
        self.resizing = Resizing(node, self.report.given)
        self.agenda = Agenda()
        self.traceparent = ""
        self.removed = False  # the apiserver no longer has it
        self.finished = False
        self.seen: datetime = node.clock.now()
        self._tasks = tasks
        self._look = True
        self._killing: asyncio.Task[None] | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._grace = float("inf")
        self._volumes_due = False

    def update(self, pod: Object, traceparent: str) -> None:
        """The apiserver's newest version."""
        old, self.pod = self.pod, pod
        if traceparent and self.status is None:
            self.traceparent = traceparent
        if drifted(pod, self.status):
            asyncio.get_running_loop().call_later(DRIFT_SECONDS, self._put_back, pod)
        if not same_wish(old, pod):
            self._volumes_due = True
            self.agenda.release_changed()
        if meta.is_deleting(pod) and not meta.is_deleting(old):
            self._interrupt()

    def remove(self) -> None:
        """The apiserver has it no more: stop it, and tell nobody."""
        self.removed = True
        self.agenda.wake()
        self._interrupt()

    def _interrupt(self) -> None:
        """Whatever is being started (a slow pull, a hook, a grace period) no longer matters."""
        if self._syncing is not None:
            self._syncing.cancel()

    def wake(self, look: bool = False) -> None:
        """Something changed; `look`: in the runtime."""
        self._look |= look
        self.agenda.wake()

    def refresh_volumes(self) -> None:
        """A ConfigMap or Secret changed: files are written anew, and what waited for it is tried again."""
        self._volumes_due = True
        self.agenda.release()

    async def run(self) -> None:
        """Work until the pod is gone."""
        while not self.finished:
            if not await self.agenda.wait():
                self._look = self._volumes_due = True
            try:
                with under(self.traceparent):
                    await self._sync_interruptibly()
                self.agenda.succeeded()
            except (CriError, StatusError, VolumeError, OSError) as error:
                self._failed(error)
            except Exception:  # the boundary of a worker: it is logged and tried again
                self.node.telemetry.log.exception("pod %s: sync failed", meta.key(self.pod))
                self._failed(None)
        self.probes.stop()

    async def _sync_interruptibly(self) -> None:
        self._syncing = asyncio.ensure_future(self.sync())
        try:
            await asyncio.wait([self._syncing])
            if self._syncing.cancelled():
                self._look = True
                self.agenda.wake()
            else:
                self._syncing.result()
        finally:
            if self._syncing.cancel():
                await asyncio.wait([self._syncing])
            self._syncing = None

    def _failed(self, error: Exception | None) -> None:
        self.node.metrics.sync_errors.inc()
        self._look = True
        delay = self.agenda.failed()
        if error is not None:
            self.node.telemetry.log.warning("pod %s: again in %.0f s: %s", meta.key(self.pod), delay, error)
        if isinstance(error, VolumeError | StatusError):
            self.node.event(self.pod, "Warning", "FailedMount", str(error))

    @property
    def status(self) -> Object | None:
        """The last that was computed."""
        return self.report.status

    async def sync(self) -> None:
        """One round."""
        if self._look:
            self._look = False
            self.runtime = await self.node.cache.fetch(self.uid)
        if self.removed or meta.is_deleting(self.pod) or self.report.is_terminal(self.pod):
            await self._sync_terminating()
            return
        self.probes.follow(self.pod, self.runtime)
        actions = self.agenda.without_held(self._decide())
        try:
            if not actions.kill_pod:
                await self._resize()
        finally:
            self._check_deadline()
            self._report(actions)
        if self.report.is_terminal(self.pod):
            self.agenda.wake()
            return
        if actions.kill_pod:
            await kill_pod(self.node, self.pod, self.runtime, grace_period(self.pod))
            self._look = True
        await asyncio.gather(*(self._kill(kill) for kill in actions.kill))
        if actions.create_sandbox or actions.start:
            await self._start(actions)
        elif self._volumes_due:
            await self._refresh_volumes()
        if actions.kill or actions.kill_pod:
            self.agenda.wake()
        self.runtime = await collect(self.node, self.runtime)

    async def _resize(self) -> None:
        if await self.resizing.step(self.pod, self.runtime, self._kill):
            self.runtime = await self.node.cache.fetch(self.uid)
            self.agenda.wake()
        if self.resizing.pending is not None:
            self.agenda.again(LOOK_AGAIN)

    def _check_deadline(self) -> None:
        left = self.report.seconds_to_deadline(self.pod)
        if left is not None and left <= 0:
            self.report.fail_for_deadline(self.pod)
        else:
            self.agenda.again(left)

    def _decide(self) -> PodActions:
        return pod_actions.compute_pod_actions(self.pod, self.runtime, self.probes.health(self.runtime))

    async def _kill(self, kill: pod_actions.Kill) -> None:
        sandbox = self.runtime.ready_sandbox
        address = sandbox.ips[0] if sandbox and sandbox.ips else ""
        never = pod_actions.container_policy(self.pod, kill.container.name) == "Never"
        again = kill.reason in ("Unhealthy", "Changed") and not never
        text = f"{kill.message}, will be restarted" if again else kill.message
        grace = grace_period(self.pod) if kill.grace is None else kill.grace
        await kill_container(self.node, self.pod, kill.container, grace, text, address)
        self._look = True

    async def _start(self, actions: PodActions) -> None:
        if actions.kill:
            self.runtime = await self.node.cache.fetch(self.uid)
        self._volumes_due = False
        try:
            done = await PodStart(self.node, self.resizing.allocated(self.pod), self.runtime, self.traceparent).run(
                actions
            )
        finally:
            self.runtime = await self.node.cache.fetch(self.uid)
        self._count(set(actions.start) - done.waiting.keys())
        self.agenda.hold(done)
        self.probes.follow(self.pod, self.runtime)
        after = self.agenda.without_held(self._decide())
        if actions.start:
            self.report.begin_ready(self.pod, self.traceparent)
        self._report(after)
        if after.start or after.kill or after.kill_pod:
            self.agenda.wake()

    def _count(self, started: set[str]) -> None:
        """Metrics of one round of starts."""
        fresh = [c for c in (self.runtime.latest(name) for name in started) if c is not None]
        self.node.metrics.restarts.inc(sum(c.attempt > 0 for c in fresh))
        if fresh and len(self.runtime.containers) == len(fresh):
            self.node.metrics.start.observe((self.node.clock.now() - self.seen).total_seconds())

    def _report(self, actions: PodActions | None, ended: bool = False) -> None:
        """Compute the status and send it if it says something new."""
        health = self.probes.health(self.runtime)
        initialized = bool(actions and actions.initialized)
        new = self.report.compute(
            self.resizing.allocated(self.pod),
            self.runtime,
            health,
            self.agenda.waiting,
            initialized,
            ended,
            self.resizing.conditions(),
        )
        if new and not self.removed:
            assert self.report.status is not None
            self.publish(self.report.status)

    def _put_back(self, pod: Object) -> None:
        """Say again what somebody else has overwritten, if it still stands and nothing newer is on its way."""
        status = self.report.status
        stands = pod is self.pod and not self.finished and not self.removed
        if stands and status is not None and drifted(pod, status) and not self.node.writer.waits(meta.uid(pod)):
            self.publish(status)

    def publish(self, status: Object) -> None:
        """Send a new status on its way."""
        self.node.writer.set(self.pod, status, self.traceparent)

    async def _sync_terminating(self) -> None:
        """Kill what runs; when nothing does any more, clean up and let the object go."""
        self.probes.follow(self.pod, self.runtime, terminating=True)
        grace = grace_period(self.pod)
        if self._killing is not None and not self._killing.done() and grace < self._grace:
            self._killing.cancel()
            self._killing = None
        if self.runtime.alive or self.runtime.ready_sandbox:
            if self._killing is None or self._killing.done():
                self._grace = grace
                self._killing = self._tasks.create_task(self._kill_pod(grace))
            self._report(None)
            return
        self.agenda.waiting.clear()
        self._report(None, ended=True)
        if self.removed or meta.is_deleting(self.pod):
            await self._let_go()

    async def _kill_pod(self, grace: float) -> None:
        try:
            await kill_pod(self.node, self.pod, self.runtime, grace)
        except CriError as error:
            self.node.telemetry.log.warning("pod %s: cannot be stopped yet: %s", meta.key(self.pod), error)
            await asyncio.sleep(FIRST_RETRY)
        except Exception:  # the boundary of a worker, as above
            self.node.telemetry.log.exception("pod %s: cannot be stopped", meta.key(self.pod))
            await asyncio.sleep(LONGEST_RETRY)
        self.wake(look=True)

    async def _let_go(self) -> None:
        """The last steps of a pod: files and cgroup, the object (grace 0, this uid), then the runtime's records."""
        await self.node.host.forget(self.pod)
        await self.delete_object()
        self.node.writer.forget(self.uid)
        self.node.release(self.uid)
        await remove_pod(self.node, self.runtime)
        self.finished = True

    async def delete_object(self) -> None:
        """Grace 0 and this uid: the apiserver lets the object go."""
        if self.removed:
            return
        await self.node.writer.flush(self.uid)
        with allowing(404, 409):
            await self.node.client.delete(
                PODS, meta.name(self.pod), meta.namespace(self.pod), uid=self.uid, grace_period_seconds=0
            )

    async def _refresh_volumes(self) -> None:
        """Bring files of ConfigMaps, Secrets and tokens up to date."""
        self._volumes_due = False
        if self.runtime.ready_sandbox is not None:
            start = PodStart(self.node, self.pod, self.runtime, "")
            facts: PodFacts = start.facts(self.runtime.ready_sandbox.ips)
            await self.node.host.prepare(self.pod, facts)
