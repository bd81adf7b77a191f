"""Probes of one pod's running containers: a task per probe, verdicts kept by container id."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from kybern.kube.meta import Object
from kybern.node.context import NodeContext
from kybern.node.core import probe as rules
from kybern.node.core.pod_actions import Health
from kybern.node.core.pod_status import STATUS_LISTS
from kybern.node.core.probe import FIELDS, Kind, ProbeState
from kybern.node.core.resources import startable_containers
from kybern.node.core.runtime_pod import Container, RuntimePod, State
from kybern.node.handlers import Outcome, Target, run_handler


class Probes:
    """The probes of one pod; `changed` is called when a verdict changes."""

    def __init__(self, node: NodeContext, tasks: asyncio.TaskGroup, changed: Callable[[], None]) -> None:
        self._node, self._tasks, self._changed = node, tasks, changed
        self._states: dict[tuple[str, Kind], ProbeState] = {}
        self._running: dict[tuple[str, Kind], asyncio.Task[None]] = {}
        self._grace: dict[tuple[str, Kind], float] = {}

    def follow(self, pod: Object, runtime: RuntimePod, *, terminating: bool = False) -> None:
        """Start the probes of containers that run now, stop those of containers that do not.

        A pod that is being stopped is asked for its readiness only: nothing of it is started again.
        """
        kinds = {kind: field for kind, field in FIELDS.items() if not terminating or kind is Kind.READINESS}
        for key in [key for key in self._running if key[1] not in kinds]:
            self._running.pop(key).cancel()
        running = {c.id: c for c in runtime.containers if c.state is State.RUNNING}
        for key in [key for key in self._running if key[0] not in running]:
            self._running.pop(key).cancel()
            self._states.pop(key, None)
            self._grace.pop(key, None)
        sandbox = runtime.ready_sandbox
        ips = self._node.host_ips if pod["spec"].get("hostNetwork") else sandbox.ips if sandbox else ()
        specs = {c["name"]: c for c in startable_containers(pod)}
        for container in running.values():
            spec = specs.get(container.name, {})
            for kind, field in kinds.items():
                key = (container.id, kind)
                if spec.get(field) and key not in self._states:
                    self._states[key] = self._initial(pod, container, kind, spec[field])
                    if (own := spec[field].get("terminationGracePeriodSeconds")) is not None:
                        self._grace[key] = float(own)
                    work = self._probe(pod, container, spec, kind, ips[0] if ips else "")
                    self._running[key] = self._tasks.create_task(work)

    def _initial(self, pod: Object, container: Container, kind: Kind, probe: Object) -> ProbeState:
        """A new probe's state; an agent that starts anew takes over the verdicts in the pod's status."""
        state = rules.initial(kind, probe)
        known = pod.get("status") or {}
        for status in (one for name in STATUS_LISTS for one in known.get(name) or []):
            if status.get("containerID") == container.uri:
                said = {Kind.STARTUP: bool(status.get("started")), Kind.READINESS: bool(status.get("ready"))}
                return replace(state, passing=said.get(kind, state.passing))
        return state

    def stop(self) -> None:
        """The pod is going away; the last verdicts stay."""
        for task in self._running.values():
            task.cancel()
        self._running.clear()

    def health(self, runtime: RuntimePod) -> Health:
        """The verdicts on the containers that run."""
        running = [c for c in runtime.containers if c.state is State.RUNNING]
        started = {c.id for c in running if self._passing(c.id, Kind.STARTUP)}
        ready = {id_ for id_ in started if self._passing(id_, Kind.READINESS)}
        failed, grace = {}, {}
        for (id_, kind), state in self._states.items():
            if rules.failed(state):
                name = next((c.name for c in running if c.id == id_), "")
                failed[id_] = f"Container {name} failed {kind.lower()} probe"
                if (id_, kind) in self._grace:
                    grace[id_] = self._grace[id_, kind]
        return Health(failed, grace, started, ready)

    def _passing(self, id_: str, kind: Kind) -> bool:
        state = self._states.get((id_, kind))
        return state is None or state.passing

    async def _probe(self, pod: Object, container: Container, spec: Object, kind: Kind, address: str) -> None:
        probe = spec[FIELDS[kind]]
        target = Target(self._node.runtime, container.id, spec, address)
        key = (container.id, kind)
        await asyncio.sleep(self._first_delay(container, probe))
        while not (kind is Kind.STARTUP and self._passing(container.id, kind)):
            if kind is Kind.STARTUP or self._passing(container.id, Kind.STARTUP):
                outcome = await self._try(probe, target)
                before = self._states[key]
                after = self._states[key] = rules.observe(before, outcome.success, outcome.message)
                if not outcome.success:
                    message = f"{kind} probe failed: {outcome.message}"
                    self._node.event(pod, "Warning", "Unhealthy", message, container.name)
                elif outcome.wary:
                    message = f"{kind} probe warning: {outcome.message}"
                    self._node.event(pod, "Warning", "ProbeWarning", message, container.name)
                if (after.passing, rules.failed(after)) != (before.passing, rules.failed(before)):
                    self._changed()
                if rules.failed(after) or (kind is Kind.STARTUP and after.passing):
                    return
                await asyncio.sleep(rules.period(probe))
            else:  # not started yet: look again soon, so that readiness follows a startup probe at once
                await asyncio.sleep(min(1.0, rules.period(probe)))

    async def _try(self, probe: Object, target: Target) -> Outcome:
        try:
            return await run_handler(probe, target, rules.timeout(probe))
        except Exception as error:
            self._node.telemetry.log.exception("a probe of container %s broke", target.container.get("name"))
            return Outcome(False, str(error))

    def _first_delay(self, container: Container, probe: Object) -> float:
        """initialDelaySeconds from the container's start, or what is left of it."""
        delay = float(probe.get("initialDelaySeconds") or 0)
        if container.started_at is not None:
            delay -= (self._node.clock.now() - container.started_at).total_seconds()
        return max(0.0, delay)
