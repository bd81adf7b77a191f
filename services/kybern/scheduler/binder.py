"""Carries decisions out: binds a pod to its node, or says in events and status why it still waits."""

import asyncio
from collections.abc import Coroutine
from typing import Protocol

from kybern.client.events import NORMAL, WARNING, EventRecorder
from kybern.client.objects import STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import PODS
from kybern.kube.conditions import get_condition
from kybern.kube.meta import Object, format_time, generation
from kybern.kube.status import StatusError
from kybern.runtime.service import Env
from kybern.scheduler.core.pod import Pod
from kybern.scheduler.core.preemption import Victims
from kybern.scheduler.core.queue import QueuedPod
from kybern.scheduler.tracing import pod_attributes


class Verdicts(Protocol):
    """Who hears how a bind ended."""

    def bound(self, queued: QueuedPod, node: str) -> None: ...

    def unbound(self, queued: QueuedPod, message: str, *, gone: bool = False) -> None: ...


class Binder:
    """Writes to the apiserver, many at once."""

    def __init__(self, client: Client, env: Env, recorder: EventRecorder, verdicts: Verdicts) -> None:
        self._client, self._recorder, self._verdicts = client, recorder, verdicts
        self._clock, self._telemetry = env.clock, env.telemetry
        self._under_way = 0
        self._less = asyncio.Event()

    def start(self, tasks: asyncio.TaskGroup, write: Coroutine[None, None, None]) -> None:
        """Do a write in the background."""
        self._under_way += 1
        tasks.create_task(self._counted(write))

    async def _counted(self, write: Coroutine[None, None, None]) -> None:
        try:
            await write
        finally:
            self._under_way -= 1
            self._less.set()

    async def room(self, limit: int) -> None:
        """Let others work, and wait until fewer than `limit` writes are under way."""
        await asyncio.sleep(0)
        while self._under_way >= limit:
            self._less.clear()
            await self._less.wait()

    async def bind(self, queued: QueuedPod, node: str) -> None:
        """POST the Binding; the pod's uid guards against a namesake."""
        pod = queued.pod
        binding: Object = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            attributes = {**pod_attributes(pod), "k8s.node.name": node}
            with self._telemetry.span("bind", queued.traceparent, attributes=attributes) as span:
                await self._client.create_subresource(
                    PODS, "binding", pod.name, binding, pod.namespace, traceparent=span.traceparent
                )
        except StatusError as error:
            self._telemetry.log.info("pod %s was not bound to %s: %s", pod.key, node, error, extra={"key": pod.key})
            self._verdicts.unbound(queued, f"binding rejected: {error.message}", gone=error.code == 404)
            if error.code != 404:
                self._event(pod, WARNING, "FailedScheduling", f"binding rejected: {error.message}")
            return
        self._verdicts.bound(queued, node)
        self._event(pod, NORMAL, "Scheduled", f"Successfully assigned {pod.key} to {node}")

    async def report(self, queued: QueuedPod, message: str, nominated: str = "") -> None:
        """Say why no node takes the pod: an event, the condition PodScheduled, and the node it waits for, if any."""
        pod = queued.pod
        self._event(pod, WARNING, "FailedScheduling", message)
        known = get_condition(pod.obj, "PodScheduled") or {}
        if (known.get("status"), known.get("message")) == ("False", message) and nominated == pod.nominated:
            return
        now = format_time(self._clock.now())
        condition: Object = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": known.get("lastTransitionTime", now) if known.get("status") == "False" else now,
        }
        if generation(pod.obj):
            condition["observedGeneration"] = generation(pod.obj)
        status: Object = {"conditions": [condition]}
        if nominated != pod.nominated:
            status["nominatedNodeName"] = nominated or None
        await self._patch_status(pod, status, queued.traceparent)

    async def preempt(self, queued: QueuedPod, victims: Victims) -> None:
        """Say to each victim why it has to go, and delete it."""
        await asyncio.gather(*(self._evict(queued, victim, victims.node) for victim in victims.pods))

    async def _evict(self, queued: QueuedPod, victim: Pod, node: str) -> None:
        if victim.facts.deleting:
            return
        condition: Object = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{queued.pod.scheduler}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": format_time(self._clock.now()),
        }
        await self._patch_status(victim, {"conditions": [condition]}, queued.traceparent)
        try:
            await self._client.delete(
                PODS, victim.name, victim.namespace, uid=victim.uid, traceparent=queued.traceparent
            )
        except StatusError as error:
            if error.code not in (404, 409):
                self._telemetry.log.warning("pod %s was not preempted: %s", victim.key, error)
            return
        message = f"Preempted by pod {queued.pod.uid} on node {node}"
        self._recorder.event(dict(victim.obj), NORMAL, "Preempted", message, action="Preempting")

    async def _patch_status(self, pod: Pod, status: Object, traceparent: str) -> None:
        patch: Object = {"metadata": {"uid": pod.uid}, "status": status}
        try:
            await self._client.patch(
                PODS,
                pod.name,
                pod.namespace,
                patch=patch,
                patch_type=STRATEGIC_MERGE_PATCH,
                subresource="status",
                traceparent=traceparent,
            )
        except StatusError as error:
            if error.code != 404:
                self._telemetry.log.warning("status of pod %s: %s", pod.key, error, extra={"key": pod.key})

    def _event(self, pod: Pod, type_: str, reason: str, message: str) -> None:
        action = "Binding" if reason == "Scheduled" else "Scheduling"
        self._recorder.event(dict(pod.obj), type_, reason, message, action=action)
