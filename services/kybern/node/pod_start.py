"""Bringing a pod up: its sandbox, images and volumes side by side, then its containers side by side."""

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from kybern.client.resources import RUNTIME_CLASSES
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.context import NodeContext
from kybern.node.core import backoff, pod_sandbox
from kybern.node.core.container_config import ConfigError, ImageFacts, container_config
from kybern.node.core.downward import UnknownField, pod_field
from kybern.node.core.environment import MissingReference, make_environment, service_variables
from kybern.node.core.image_volumes import MOUNT_FAILED, image_spec, mounted, pulled_as
from kybern.node.core.pod_actions import PodActions
from kybern.node.core.resources import startable_containers
from kybern.node.core.runtime_pod import Container, RuntimePod, State
from kybern.node.core.volumes import VolumeError, decoded, environment_references
from kybern.node.cri.client import CriError
from kybern.node.handlers import Target, run_handler
from kybern.node.host import Volumes, hosts_text
from kybern.node.pod_images import Images, StartFailed
from kybern.node.volumes.sources import PodFacts, resource_reader
from kybern.protos.runtime.v1 import api_pb2 as cri
from kybern.telemetry import Span

POST_START_TIMEOUT = 3600.0


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Await work that is not left halfway: a runtime whose start is called off reports a container that failed.

    A cancellation is passed on once the work is done, whatever became of it.
    """
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        _ = task.cancelled() or task.exception()
        raise asyncio.CancelledError
    task.result()


@dataclass
class Started:
    """What came of it: reasons of containers that wait, and in how many seconds to try again."""

    waiting: dict[str, tuple[str, str]] = field(default_factory=dict)
    retry: dict[str, float] = field(default_factory=dict)

    def later(self, name: str, reason: str, message: str, seconds: float) -> None:
        """A container waits for this reason, and is tried again after so long."""
        self.waiting[name], self.retry[name] = (reason, message), seconds


class PodStart:
    """One round of starting for one pod."""

    def __init__(self, node: NodeContext, pod: Object, runtime: RuntimePod, traceparent: str) -> None:
        self.node, self.pod, self.runtime, self.traceparent = node, pod, runtime, traceparent
        self.meta = pod["metadata"]
        self.images = Images(node, pod)
        self.pulls: dict[str, asyncio.Task[ImageFacts]] = {}
        self.result = Started()

    def span(self, name: str, container: str = "") -> AbstractContextManager[Span]:
        """One step of the pod's way, in its trace."""
        names = {"k8s.pod.name": self.meta["name"], "k8s.namespace.name": self.meta["namespace"]}
        names |= {"k8s.node.name": self.node.name, "k8s.resource": "pods", "k8s.object.name": self.meta["name"]}
        if container:
            names["k8s.container.name"] = container
        return self.node.telemetry.span(name, self.traceparent, attributes=names)

    async def run(self, actions: PodActions) -> Started:
        """Carry out the starts of `actions`. Raises CriError for a sandbox that cannot be made, VolumeError and
        StatusError for volumes; what fails for one container is in the result."""
        specs = {c["name"]: c for c in startable_containers(self.pod)}
        due = [specs[name] for name in actions.start if self.is_due(name)]
        if not due and not actions.create_sandbox:
            return self.result
        images = [asyncio.ensure_future(self.traced_image(c)) for c in due]
        self.pulls = self.pull_volumes(due)
        volumes = asyncio.ensure_future(self.node.host.prepare(self.pod, self.facts(())))
        env = asyncio.ensure_future(self.env_objects(due))
        for task in (*images, *self.pulls.values(), volumes, env):
            task.add_done_callback(lambda t: t.cancelled() or t.exception())  # looked at later, or never
        try:
            sandbox, ips, config = await self.sandbox(actions)
            where = await volumes
            await asyncio.gather(
                *(
                    self.start_one(c, image, env, sandbox, ips, config, where)
                    for c, image in zip(due, images, strict=True)
                )
            )
        finally:
            for task in (*images, *self.pulls.values(), volumes, env):
                task.cancel()
        return self.result

    def pull_volumes(self, due: list[Object]) -> dict[str, "asyncio.Task[ImageFacts]"]:
        """Pulls of the image volumes that these containers mount, each once."""
        wanted = {name: source for container in due for name, source in mounted(self.pod, container).items()}
        return {name: asyncio.ensure_future(self.traced_image(pulled_as(one))) for name, one in wanted.items()}

    async def volume_images(self, container: Object) -> dict[str, cri.ImageSpec]:
        """The images that a container mounts. Raises StartFailed, the last failure of several."""
        found, failure = {}, None
        for name, source in mounted(self.pod, container).items():
            try:
                image = await self.pulls[name]
            except StartFailed as error:
                self.node.event(self.pod, "Warning", "Failed", f"Error: {error.reason}", container["name"])
                failure = error
                continue
            found[name] = image_spec(self.pod, source, image, await self.runtime_handler())
        if failure is not None:
            raise failure
        self.node.metrics.image_volumes.inc(len(found))
        return found

    def is_due(self, name: str) -> bool:
        """Whether a container may start now; otherwise it shows CrashLoopBackOff."""
        last = self.runtime.latest(name)
        if last is None or last.state is not State.EXITED or last.finished_at is None:
            return True
        key, now = f"{self.meta['uid']}/{name}", self.node.clock.now()
        remaining = self.node.crashes.remaining(key, last.finished_at, now)
        if remaining <= 0:
            self.node.crashes.next(key, last.finished_at, now)
            return True
        where = f"{self.meta['name']}_{self.meta['namespace']}({self.meta['uid']})"
        delay = backoff.text(self.node.crashes.delay(key))
        message = f"back-off {delay} restarting failed container={name} pod={where}"
        self.result.later(name, "CrashLoopBackOff", message, remaining + 0.01)
        text = f"Back-off restarting failed container {name} in pod {where}"
        self.node.event(self.pod, "Warning", "BackOff", text, name)
        return False

    async def sandbox(self, actions: PodActions) -> tuple[str, tuple[str, ...], cri.PodSandboxConfig]:
        """The sandbox to start in, made now if there is none: its id, addresses and configuration."""
        node = self.node
        try:
            config = pod_sandbox.sandbox_config(self.pod, node.settings, actions.attempt, node.logs_root)
        except ValueError as error:
            node.event(self.pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            raise CriError("RunPodSandbox", grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
        if not actions.create_sandbox:
            box = self.runtime.sandboxes[0]
            return box.id, box.ips, config
        await node.host.make_cgroup(self.pod)
        try:
            with self.span("sandbox"):
                id_ = await node.runtime.run_pod_sandbox(config, await self.runtime_handler())
                status = await node.runtime.pod_sandbox_status(id_)
        except CriError as error:
            node.event(self.pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            raise
        addresses = [status.network.ip, *(ip.ip for ip in status.network.additional_ips)]
        return id_, tuple(a for a in addresses if a), config

    async def runtime_handler(self) -> str:
        """The handler of the pod's RuntimeClass; "" is the runtime's default. Raises StatusError."""
        name = self.pod["spec"].get("runtimeClassName")
        return str((await self.node.client.get(RUNTIME_CLASSES, name))["handler"]) if name else ""

    def facts(self, ips: tuple[str, ...]) -> PodFacts:
        node = self.node
        host = list(node.host_ips)
        own = host if self.pod["spec"].get("hostNetwork") else list(ips)
        read = partial(pod_field, self.pod, node_name=node.name, host_ips=host, pod_ips=own)
        return PodFacts(read, node.allocatable)

    async def env_objects(self, containers: list[Object]) -> dict[str, dict[str, Object | None]]:
        """The ConfigMaps and Secrets behind environments."""
        found: dict[str, dict[str, Object | None]] = {"configmap": {}, "secret": {}}
        wanted = {ref for c in containers for ref in environment_references(c)}
        refs = sorted(wanted, key=lambda ref: (ref.kind, ref.name))
        objects = await asyncio.gather(*(self.node.references.read(self.pod, ref) for ref in refs))
        for ref, obj in zip(refs, objects, strict=True):
            found[ref.kind][ref.name] = decoded(obj) if ref.kind == "secret" else obj
        return found

    async def traced_image(self, container: Object) -> ImageFacts:
        with self.span("pull", container["name"]):
            return await self.images.ensure(container)

    async def start_one(
        self,
        container: Object,
        image: "asyncio.Future[ImageFacts]",
        env: "asyncio.Future[dict[str, dict[str, Object | None]]]",
        sandbox: str,
        ips: tuple[str, ...],
        config: cri.PodSandboxConfig,
        volumes: Volumes,
    ) -> None:
        """Create and start one container; a failure becomes its waiting reason."""
        name = container["name"]
        try:
            facts = await image
            images = await self.volume_images(container)
            try:
                made = await self.configure(container, facts, await env, ips, volumes, images)
            except (ConfigError, MissingReference, VolumeError, UnknownField, StatusError) as error:
                raise StartFailed("CreateContainerConfigError", str(error), 5.0) from None
            with self.span("create", name):
                id_ = await self.create(container, sandbox, made, config)
            self.node.metrics.image_volumes_mounted.inc(len(images))
            with self.span("start", name):
                await self.launch(container, id_)
            await self.post_start(container, id_, ips)
        except StartFailed as failure:
            self.result.later(name, failure.reason, str(failure), failure.retry)
            if failure.reason not in ("ImagePullBackOff", "ErrImagePull"):
                self.node.event(self.pod, "Warning", "Failed", f"Error: {failure}", name)

    async def configure(
        self,
        container: Object,
        image: ImageFacts,
        objects: dict[str, dict[str, Object | None]],
        ips: tuple[str, ...],
        volumes: Volumes,
        images: dict[str, cri.ImageSpec],
    ) -> cri.ContainerConfig:
        """The container's configuration, with its environment and mounts made."""
        node, spec = self.node, self.pod["spec"]
        facts = self.facts(ips)
        namespace = self.meta["namespace"]
        links = service_variables(node.services(), namespace, spec.get("enableServiceLinks") is not False)
        reader = resource_reader(self.pod, facts, container)
        env = make_environment(
            container, namespace, links, objects["configmap"], objects["secret"], facts.field, reader
        )
        attempt = next_attempt(self.pod, container["name"], self.runtime.latest(container["name"]))
        hostname = pod_sandbox.hostname(self.pod)
        hosts = None if node.simulated else hosts_text(
            self.pod, ips, hostname, pod_sandbox.host_domain(self.pod, node.settings)
        )  # fmt: skip
        other = self.runtime.latest(container.get("targetContainerName") or "")
        target = other.id if other is not None else ""
        mounts, log = await node.host.mounts(self.pod, container, attempt, volumes, env, hosts)
        return container_config(
            self.pod, container, attempt, image, env, mounts, node.settings, log, target, images
        )  # fmt: skip

    async def create(
        self, container: Object, sandbox: str, made: cri.ContainerConfig, config: cri.PodSandboxConfig
    ) -> str:
        try:
            id_ = await self.node.runtime.create_container(sandbox, made, config)
        except CriError as error:
            count = sum(mount.HasField("image") for mount in made.mounts)
            failed = error.details.startswith(MOUNT_FAILED)
            metrics = self.node.metrics
            (metrics.image_volumes_failed if failed else metrics.image_volumes_mounted).inc(count)
            raise StartFailed("CreateContainerError", error.details) from None
        self.node.event(self.pod, "Normal", "Created", "Container created", container["name"])
        return id_

    async def launch(self, container: Object, id_: str) -> None:
        try:
            await to_its_end(self.node.runtime.start_container(id_))
        except CriError as error:
            raise StartFailed("RunContainerError", error.details) from None
        self.node.event(self.pod, "Normal", "Started", "Container started", container["name"])

    async def post_start(self, container: Object, id_: str, ips: tuple[str, ...]) -> None:
        hook = (container.get("lifecycle") or {}).get("postStart")
        if not hook:
            return
        own = self.node.host_ips if self.pod["spec"].get("hostNetwork") else ips
        target = Target(self.node.runtime, id_, container, own[0] if own else "")
        outcome = await run_handler(hook, target, POST_START_TIMEOUT)
        if not outcome.success:
            self.node.event(self.pod, "Warning", "FailedPostStartHook", "PostStartHook failed", container["name"])
            await self.node.runtime.stop_container(id_, 2)
            raise StartFailed("PostStartHookError", f"PostStartHook failed: {outcome.message}")


def next_attempt(pod: Object, name: str, last: Container | None) -> int:
    """One more than the last container's; where the runtime has lost it, one more than the status says."""
    if last is not None:
        return last.attempt + 1
    status = pod.get("status") or {}
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if one["name"] == name and (one.get("containerID") or (one.get("lastState") or {}).get("terminated")):
            return int(one.get("restartCount", 0)) + 1
    return 0
