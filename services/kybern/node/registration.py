"""The Node object and its Lease: registration, status, heartbeats, and the pod network once the node has its range."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from kybern.client.objects import STRATEGIC_MERGE_PATCH, Client
from kybern.client.resources import LEASES, NODES
from kybern.clock import Clock
from kybern.kube.meta import Object
from kybern.kube.status import StatusError
from kybern.node.core import node_status
from kybern.node.core.node_status import LEASE_NAMESPACE, NodeFacts, NodeHealth
from kybern.node.cri.client import CriError, Runtime
from kybern.protos.runtime.v1 import api_pb2 as cri
from kybern.telemetry import Telemetry

LEASE_RENEW_SECONDS = 10.0
CHECK_SECONDS = 10.0
EAGER_CHECK_SECONDS = 0.1  # while not ready
REPORT_SECONDS = 300.0
Network = Callable[[list[str]], Awaitable[None]]
Pressure = Callable[[], Awaitable[NodeHealth]]


class Registration:
    """Keeps one Node current. `pods_allowed` is set once the node is registered."""

    def __init__(
        self,
        client: Client,
        runtime: Runtime,
        facts: NodeFacts,
        clock: Clock,
        telemetry: Telemetry,
        network: Network | None,
        pressure: Pressure,
        *,
        stagger: float = 0.0,
    ) -> None:
        self.facts = facts
        self.pods_allowed = asyncio.Event()
        self.ready = asyncio.Event()
        self._client, self._runtime = client, runtime
        self._clock, self._telemetry = clock, telemetry
        self._network, self._pressure = network, pressure
        self._stagger = stagger
        self.node: Object = {}
        self._written: Object = {}
        self._reported = 0.0
        self._runtime_error: str | None = None
        self._network_error = "waiting for spec.podCIDR" if network else ""
        self._eager_delay = EAGER_CHECK_SECONDS
        self._check = asyncio.Event()
        self._lease: Object | None = None

    def runtime_answered(self, error: str | None) -> None:
        """What the last relist said; a change is reported at once."""
        if (error is None) != (self._runtime_error is None):
            self._check.set()
        self._runtime_error = error

    async def run(self) -> None:
        """Register, then keep status and lease fresh until cancelled."""
        await asyncio.sleep(self._stagger)
        await self._until_done(self._register, "register")
        self.pods_allowed.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._run_status())
            tasks.create_task(self._run_lease())

    async def _until_done(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        delay = 0.1
        while True:
            try:
                await work()
                return
            except (StatusError, CriError, OSError) as error:
                self._telemetry.log.info("node %s: cannot %s yet: %s", self.facts.name, what, error)
            await asyncio.sleep(delay)
            delay = min(7.0, delay * 2)

    async def _register(self) -> None:
        try:
            version = await self._runtime.version()
            runtime = f"{version.runtime_name}://{version.runtime_version}"
            self.facts = replace(self.facts, runtime=runtime)
        except CriError as error:
            self._runtime_error = str(error)
        try:
            self.node = await self._client.create(NODES, node_status.new_node(self.facts))
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
            self.node = await self._client.get(NODES, self.facts.name)
            if patch := node_status.metadata_patch(self.facts, self.node):
                self.node = await self._client.patch(NODES, self.facts.name, patch=patch)

    async def _run_status(self) -> None:
        while True:
            try:
                health = await self._health()
                await self._report(health)
                if not health.not_ready:
                    self.ready.set()
            except (StatusError, CriError, OSError) as error:
                if isinstance(error, StatusError) and error.code == 404:  # somebody deleted the node: come back
                    self._written = {}
                    await self._until_done(self._register, "register")
                    continue
                self._telemetry.log.info("node %s: status is not written: %s", self.facts.name, error)
            eager = bool(self._network_error or self._runtime_error)
            self._eager_delay = min(1.0, self._eager_delay * 1.2) if eager else EAGER_CHECK_SECONDS
            self._check.clear()
            try:
                async with asyncio.timeout(self._eager_delay if eager else CHECK_SECONDS):
                    await self._check.wait()
            except TimeoutError:
                continue

    async def _health(self) -> NodeHealth:
        """Ready with the runtime and its network ready; sets the network up as soon as the range is known."""
        if self._network is not None and self._network_error:
            await self._set_up_network()
        pressure = await self._pressure()
        try:
            status = await self._runtime.status()
        except CriError as error:
            self._runtime_error = str(error)
            return replace(pressure, not_ready=f"container runtime is down: {error}")
        self._runtime_error = None
        conditions = {c.type: c for c in status.conditions}
        for type_ in ("RuntimeReady", "NetworkReady"):
            condition = conditions.get(type_)
            if condition is None or not condition.status:
                self._network_error = self._network_error or (type_ == "NetworkReady" and "network is not ready") or ""
                reason, text = (condition.reason, condition.message) if condition else ("", "unknown")
                title = (
                    "container runtime network not ready" if type_ == "NetworkReady" else "container runtime not ready"
                )
                return replace(pressure, not_ready=f"{title}: {type_}=false reason:{reason} message:{text}")
        return pressure

    async def _set_up_network(self) -> None:
        cidrs = (self.node.get("spec") or {}).get("podCIDRs") or []
        if not cidrs:
            self.node = await self._client.get(NODES, self.facts.name)
            cidrs = (self.node.get("spec") or {}).get("podCIDRs") or []
        if not cidrs and (one := (self.node.get("spec") or {}).get("podCIDR")):
            cidrs = [one]
        if cidrs and self._network is not None:
            await self._network(cidrs)
            self._network_error = ""

    async def _report(self, health: NodeHealth) -> None:
        """Write the status when it changed, and every five minutes."""
        now, loop_time = self._clock.now(), asyncio.get_running_loop().time()
        old = (self._written or self.node.get("status") or {}).get("conditions") or []
        images = [{"names": list(i.repo_tags or i.repo_digests), "sizeBytes": i.size} for i in await self._images()]
        status = node_status.node_status(self.facts, health, old, images, 0, now)
        same = node_status.without_heartbeats(status) == node_status.without_heartbeats(self._written)
        if same and loop_time - self._reported < REPORT_SECONDS:
            return
        patch = {"status": status}
        self.node = await self._client.patch(
            NODES, self.facts.name, patch=patch, patch_type=STRATEGIC_MERGE_PATCH, subresource="status"
        )
        self._written, self._reported = status, loop_time
        if self._runtime.simulated is not None and (cidr := (self.node.get("spec") or {}).get("podCIDR")):
            self._runtime.simulated.set_pod_cidr(cidr)

    async def _images(self) -> list[cri.Image]:
        try:
            return sorted(await self._runtime.list_images(), key=lambda image: -image.size)[:50]
        except CriError:
            return []

    async def _run_lease(self) -> None:
        while True:
            try:
                await self._renew()
            except StatusError as error:
                self._lease = None
                self._telemetry.log.info("node %s: lease is not renewed: %s", self.facts.name, error)
                await asyncio.sleep(1.0)
                continue
            await asyncio.sleep(LEASE_RENEW_SECONDS)

    async def _renew(self) -> None:
        wanted = node_status.lease(self.node, self._clock.now())
        if self._lease is None:
            try:
                self._lease = await self._client.create(LEASES, wanted)
                return
            except StatusError as error:
                if error.reason != "AlreadyExists":
                    raise
                self._lease = await self._client.get(LEASES, self.facts.name, LEASE_NAMESPACE)
        self._lease = await self._client.update(LEASES, {**self._lease, "spec": wanted["spec"]})
