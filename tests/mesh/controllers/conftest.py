"""A real apiserver and the real controllers under virtual time, with a player in the part of scheduler and nodes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from kybern.apiserver.service import SERVICE as APISERVER
from kybern.client.informer import SharedInformer, each
from kybern.client.objects import Client
from kybern.client.resources import DEPLOYMENTS, LEASES, NODES, PODS, Resource
from kybern.clock import virtual
from kybern.controllers.daemonset.core.placement import target_node
from kybern.controllers.service import SERVICE as CONTROLLERS
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import StatusError, allowing
from kybern.telemetry import Telemetry
from kybern.testing.mesh import Mesh, Running, mesh

READY = {"type": "Ready", "status": "True"}


class Nodes:
    """Binds every pod to a node, runs it, and ends it when it is deleted."""

    def __init__(self, client: Client, clock: virtual.VirtualClock, random: Random) -> None:
        self.client, self.clock = client, clock
        self.pods = SharedInformer(client, PODS, random, Telemetry("nodes"))
        self.start_seconds, self.stop_seconds = 1.0, 1.0
        self.broken_image = "broken"  # pods with it never become ready
        self.ending_images = {"done": "Succeeded", "fails": "Failed"}  # pods with them end in this phase
        self.names: list[str] = []
        self.dead: set[str] = set()  # nodes that do nothing any more
        self._tasks: asyncio.TaskGroup | None = None
        self._turn = 0
        self._bound: set[str] = set()
        self._stopping: set[str] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self.pods.add_handler(each(self._changed))
            await self.pods.run()

    async def add(self, name: str, heartbeat: bool = True) -> None:
        await self.client.create(NODES, {"metadata": {"name": name}})
        status = {"conditions": [self._condition(READY)]}
        await self.client.patch(NODES, name, patch={"status": status}, subresource="status")
        self.names.append(name)
        if heartbeat:
            await self.client.create(LEASES, {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": {}})
            assert self._tasks is not None
            self._tasks.create_task(self._beat(name))

    async def _beat(self, name: str) -> None:
        while True:
            if name not in self.dead:
                patch = {"spec": {"renewTime": meta.format_micro_time(self.clock.now()), "holderIdentity": name}}
                try:
                    await self.client.patch(LEASES, name, "kube-node-lease", patch=patch)
                except StatusError as error:
                    if error.code == 404:
                        return
            await asyncio.sleep(10)

    def _condition(self, condition: Object) -> Object:
        return {**condition, "lastTransitionTime": meta.format_time(self.clock.now())}

    def _changed(self, pod: Object) -> None:
        uid = meta.uid(pod)
        assert self._tasks is not None
        if meta.key(pod) not in self.pods.store or not self.names:
            return
        if meta.is_deleting(pod) and uid not in self._stopping:
            self._stopping.add(uid)
            self._tasks.create_task(self._stop(pod))
        elif not meta.is_deleting(pod) and uid not in self._bound:
            self._bound.add(uid)
            self._tasks.create_task(self._start(pod))

    async def _start(self, pod: Object) -> None:
        try:
            await self._bind_and_start(pod)
        except StatusError as error:
            if error.code not in (404, 409):
                raise

    async def _bind_and_start(self, pod: Object) -> None:
        name, namespace = meta.name(pod), meta.namespace(pod)
        node = pod["spec"].get("nodeName")
        if not node:
            alive = [name for name in self.names if name not in self.dead]
            self._turn += 1
            node = target_node(pod) or alive[self._turn % len(alive)]
            target = {"kind": "Node", "name": node}
            await self.client.create_subresource(
                PODS, "binding", name, {"metadata": {"name": name}, "target": target}, namespace
            )
        await asyncio.sleep(self.start_seconds)
        if node in self.dead:
            return
        image = pod["spec"]["containers"][0]["image"]
        ready = {**READY, "status": "False"} if image == self.broken_image else READY
        self._turn += 1
        ip = f"10.244.{self._turn // 250}.{self._turn % 250 + 1}"
        started, conditions = meta.format_time(self.clock.now()), [self._condition(ready)]
        status = {
            "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "startTime": started, "conditions": conditions,
        }  # fmt: skip
        await self.client.patch(PODS, name, namespace, patch={"status": status}, subresource="status")
        if image in self.ending_images:
            await asyncio.sleep(self.start_seconds)
            status = {"phase": self.ending_images[image], "conditions": [self._condition({**READY, "status": "False"})]}
            await self.client.patch(PODS, name, namespace, patch={"status": status}, subresource="status")

    async def _stop(self, pod: Object) -> None:
        await asyncio.sleep(self.stop_seconds)
        if pod["spec"].get("nodeName") in self.dead:
            return
        try:
            uid = meta.uid(pod)
            await self.client.delete(PODS, meta.name(pod), meta.namespace(pod), uid=uid, grace_period_seconds=0)
        except StatusError as error:
            if error.code not in (404, 409):
                raise


class Cluster:
    """What a test has in its hands."""

    def __init__(self, net: Mesh, admin: Client, nodes: Nodes, clock: virtual.VirtualClock) -> None:
        self.net, self.admin, self.nodes, self.clock = net, admin, nodes, clock
        self.controllers: Running

    async def create(self, resource: Resource, name: str, traceparent: str = "", **members: Any) -> Object:
        metadata = {"name": name, **members.pop("metadata", {})}
        if resource.namespaced:
            metadata.setdefault("namespace", "default")
        return await self.admin.create(resource, {"metadata": metadata, **members}, traceparent=traceparent)

    async def deployment(self, name: str = "web", replicas: int = 3, traceparent: str = "", **spec: Any) -> Object:
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "v1"}]}}
        selector = {"matchLabels": {"app": name}}
        spec = {"replicas": replicas, "selector": selector, "template": template, **spec}
        return await self.create(DEPLOYMENTS, name, traceparent, spec=spec)

    async def set_image(self, image: str, name: str = "web") -> None:
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]
        kind = "application/json-patch+json"
        await self.admin.patch(DEPLOYMENTS, name, "default", patch=patch, patch_type=kind)

    async def names(self, resource: Resource, namespace: str = "default", label_selector: str = "") -> list[str]:
        return sorted(
            meta.name(obj) for obj in (await self.admin.list(resource, namespace, label_selector=label_selector)).items
        )

    async def get(self, resource: Resource, name: str, namespace: str = "default") -> Object | None:
        with allowing(404):
            return await self.admin.get(resource, name, namespace)
        return None

    async def until(self, probe: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
        """The first true answer, in so many virtual seconds at most."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while not (found := await probe()):
            assert self.clock.now() < end, f"not within {seconds} s"
            await asyncio.sleep(0.1)
        return found

    async def rolled_out(self, name: str = "web") -> Object:
        async def probe() -> Object | None:
            deployment = await self.admin.get(DEPLOYMENTS, name, "default")
            status, spec = deployment.get("status", {}), deployment["spec"]
            done = all(
                status.get(field, 0) == spec["replicas"]
                for field in ("replicas", "updatedReplicas", "availableReplicas")
            )
            seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
            return deployment if done and seen else None

        found: Object = await self.until(probe)
        return found


Test = Callable[[Cluster], Awaitable[None]]


@pytest.fixture
def simulate() -> Callable[..., Any]:
    """Run an async test in a cluster with two nodes: `simulate(test, "--flag", …, seed=1)`."""

    def run(test: Callable[[Cluster], Awaitable[Any]], *flags: str, seed: int = 1, nodes: int = 2) -> Any:
        async def main(clock: virtual.VirtualClock, random: Random) -> Any:
            async with mesh(seed, clock) as net:
                await net.start(APISERVER, "--store", "sqlite::memory:")
                async with net.client() as admin, asyncio.TaskGroup() as tasks:
                    player = Nodes(admin, clock, random)
                    playing = tasks.create_task(player.run())
                    await player.pods.wait_for_sync()
                    cluster = Cluster(net, admin, player, clock)
                    cluster.controllers = await net.start(CONTROLLERS, *flags)
                    for number in range(nodes):
                        await player.add(f"n{number}")
                    try:
                        return await test(cluster)
                    finally:
                        playing.cancel()

        return virtual.run(main, seed=seed)

    return run
