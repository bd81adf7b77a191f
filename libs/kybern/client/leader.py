"""Leader election on a Lease, with client-go's rules: of many processes one leads, until it fails to say so in time.

Nobody believes another's clock: a lease is free when its record has not changed for its duration as measured here. A
leader that cannot renew within the renew deadline stops leading before the others may start. Not promised: that two
never lead at once if a process is frozen between two of its own steps; resourceVersion guards the writes then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from kybern.client.objects import Client
from kybern.client.resources import LEASES
from kybern.clock import Clock
from kybern.kube.meta import Object, format_micro_time
from kybern.kube.status import StatusError
from kybern.telemetry import Telemetry

JITTER = 1.2  # acquisition is tried every retry period times 1 to 2.2


class LeadershipLost(Exception):
    """The lease could not be renewed in time: whoever led has been stopped."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. The duration exceeds the renew deadline, which exceeds the retry period."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


def decide_lease(
    spec: Object, identity: str, observed_at: float, monotonic: float, now: str, timing: Timing
) -> Object | None:
    """The spec that makes `identity` the holder, or None while the lease is another's.

    `observed_at` is when the present record was first seen and `monotonic` the time now, both by the same local timer.
    """
    holder = spec.get("holderIdentity") or ""
    duration = spec.get("leaseDurationSeconds") or timing.lease_duration
    if holder and holder != identity and observed_at + duration > monotonic:
        return None
    transitions = spec.get("leaseTransitions") or 0
    mine = holder == identity
    return {
        **spec,
        "holderIdentity": identity,
        "leaseDurationSeconds": int(timing.lease_duration),
        "acquireTime": spec.get("acquireTime", now) if mine else now,
        "renewTime": now,
        "leaseTransitions": transitions if mine or not spec.get("acquireTime") else transitions + 1,
    }


class LeaderElector:
    """One candidate for one Lease."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        clock: Clock,
        random: Random,
        telemetry: Telemetry,
        timing: Timing = Timing(),
    ) -> None:
        self.identity = identity
        self.leader = ""  # who held the lease when last seen
        self._client = client
        self._namespace = namespace
        self._name = name
        self._clock = clock
        self._random = random
        self._log = telemetry.log
        self._timing = timing
        self._observed_spec: Object = {}
        self._observed_at = 0.0

    @property
    def is_leader(self) -> bool:
        return self.leader == self.identity

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait to become the leader, then `lead` while renewing. Raises LeadershipLost; releases on cancellation."""
        await self._acquire()
        self._log.info("became leader of %s/%s", self._namespace, self._name)
        lost = False
        try:
            async with asyncio.TaskGroup() as tasks:
                renewal = tasks.create_task(self._renew())
                await lead()
                renewal.cancel()
        except* LeadershipLost:
            lost = True  # raised below: from here, some versions of Python would wrap it in a group
        finally:
            await asyncio.shield(self._release())
        if lost:
            raise LeadershipLost(f"lost the lease {self._namespace}/{self._name}")

    async def _acquire(self) -> None:
        while True:
            if await self._try_acquire_or_renew():
                return
            await asyncio.sleep(self._timing.retry_period * (1.0 + self._random.random() * JITTER))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._timing.retry_period)
            try:
                async with asyncio.timeout(self._timing.renew_deadline):
                    while True:
                        if await self._try_acquire_or_renew():
                            break
                        await asyncio.sleep(self._timing.retry_period)
            except TimeoutError:
                raise LeadershipLost from None

    async def _try_acquire_or_renew(self) -> bool:
        try:
            return await self._step()
        except StatusError as error:
            self._log.info("lease %s/%s: %s", self._namespace, self._name, error)
            return False

    async def _step(self) -> bool:
        try:
            lease = await self._client.get(LEASES, self._name, self._namespace)
        except StatusError as error:
            if error.code != 404:
                raise
            lease = {"metadata": {"name": self._name, "namespace": self._namespace}, "spec": {}}
        spec = lease.get("spec") or {}
        monotonic = asyncio.get_running_loop().time()
        if spec != self._observed_spec:
            self._observed_spec, self._observed_at = spec, monotonic
        self.leader = spec.get("holderIdentity") or ""
        wanted = decide_lease(
            spec, self.identity, self._observed_at, monotonic, format_micro_time(self._clock.now()), self._timing
        )
        if wanted is None:
            return False
        if "resourceVersion" in lease["metadata"]:
            lease = await self._client.update(LEASES, {**lease, "spec": wanted})
        else:
            lease = await self._client.create(LEASES, {**lease, "spec": wanted})
        self._observed_spec, self._observed_at = lease.get("spec") or wanted, monotonic
        self.leader = self.identity
        return True

    async def _release(self) -> None:
        """Let another lead at once instead of after the lease's duration."""
        if not self.is_leader:
            return
        self.leader = ""
        try:
            async with asyncio.timeout(self._timing.retry_period):
                lease = await self._client.get(LEASES, self._name, self._namespace)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") == self.identity:
                    free = {**spec, "leaseDurationSeconds": 1}
                    del free["holderIdentity"]  # an empty one is not valid
                    await self._client.update(LEASES, {**lease, "spec": free})
        except (StatusError, TimeoutError) as error:
            self._log.info("lease %s/%s was not released: %s", self._namespace, self._name, error)
