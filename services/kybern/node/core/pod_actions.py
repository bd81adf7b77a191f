"""What to do next for one pod: which sandbox and containers to start, which to kill. Pure; `apply` carries it out.

Order, as upstream: a lost sandbox first; then init containers one after another (those with restartPolicy Always are
sidecars: they count as done once started, and keep running); then every other container at once. Ephemeral containers
are started once, in a pod that runs.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from kybern.kube.container_restarts import policy_of, restarts_after
from kybern.kube.meta import Object
from kybern.node.core.labels import container_hash
from kybern.node.core.resources import startable_containers
from kybern.node.core.runtime_pod import Container, RuntimePod, State

MESSAGE_CHANGED = "Container spec hash changed"


@dataclass(frozen=True)
class Kill:
    """Stop one container; with a reason for people."""

    container: Container
    reason: str
    message: str
    grace: float | None = None  # of a probe that has its own


@dataclass(frozen=True)
class PodActions:
    """Decided for one moment. `start` names containers in order; kills come before starts."""

    kill_pod: bool = False
    create_sandbox: bool = False
    sandbox: str = ""
    attempt: int = 0
    start: tuple[str, ...] = ()
    kill: tuple[Kill, ...] = ()
    initialized: bool = False  # init containers are done, sidecars started


@dataclass(frozen=True)
class Health:
    """What probes say, by container id. Sidecars and the status ask whether a container has `started`."""

    failed: Mapping[str, str] = field(default_factory=dict)  # id → why it must be restarted
    grace: Mapping[str, float] = field(default_factory=dict)  # id → terminationGracePeriodSeconds of the failed probe
    started: Set[str] = frozenset()  # ids whose startup probe passed, or that have none
    ready: Set[str] = frozenset()


def restart_policy(pod: Object) -> str:
    return pod["spec"].get("restartPolicy") or "Always"


def container_policy(pod: Object, name: str) -> str:
    """The restartPolicy of a container by its name."""
    return next(policy_of(pod["spec"], one) for one in startable_containers(pod) if one["name"] == name)


def is_sidecar(container: Object) -> bool:
    """An init container that keeps running beside the others."""
    return bool(container.get("restartPolicy") == "Always")


def should_restart(pod: Object, container: Object, last: Container | None) -> bool:
    """Whether a container that is not running is to be started (again)."""
    if last is None or last.state in (State.UNKNOWN, State.CREATED):
        return True
    return restarts_after(pod["spec"], container, last.exit_code)


def sandbox_change(pod: Object, runtime: RuntimePod) -> tuple[bool, int]:
    """Whether a new sandbox is needed, and its attempt."""
    if not runtime.sandboxes:
        return True, 0
    newest = runtime.sandboxes[0]
    ready = [s for s in runtime.sandboxes if s.ready]
    host = bool(pod["spec"].get("hostNetwork"))
    if len(ready) > 1 or not newest.ready or newest.host_network != host or (not host and not newest.ips):
        return True, newest.attempt + 1
    return False, newest.attempt


def compute_pod_actions(pod: Object, runtime: RuntimePod, health: Health) -> PodActions:
    """The next actions for a pod that is meant to run. Back-off is applied later, per container."""
    changed, attempt = sandbox_change(pod, runtime)
    if changed:
        return decide_new_sandbox(pod, runtime, attempt)
    sandbox = runtime.sandboxes[0].id
    current = {c["name"]: runtime.latest(c["name"]) for c in pod["spec"]["containers"]}
    begun = any(container is not None and container.sandbox == sandbox for container in current.values())
    inits, kills, done = decide_init_containers(pod, runtime, health, begun, sandbox)
    if not done and not begun:
        failed = init_failed(pod, runtime, sandbox)
        return PodActions(kill_pod=failed, sandbox=sandbox, attempt=attempt, start=() if failed else inits, kill=kills)
    starts, more, keep = decide_containers(pod, current, health)
    fresh = tuple(c["name"] for c in pod["spec"].get("ephemeralContainers") or [] if not runtime.latest(c["name"]))
    if not keep and not starts:  # everything has run to its end: nothing is left to share the sandbox
        return PodActions(kill_pod=True, sandbox=sandbox, attempt=attempt, initialized=True)
    return PodActions(False, False, sandbox, attempt, (*inits, *starts, *fresh), (*kills, *more), True)


def decide_new_sandbox(pod: Object, runtime: RuntimePod, attempt: int) -> PodActions:
    """Kill what is left of the old sandbox and start over, unless the pod has done its work."""
    if attempt and runtime.containers and restart_policy(pod) == "Never":
        return PodActions(kill_pod=True, attempt=attempt)
    containers = pod["spec"]["containers"]
    spec = pod["spec"]
    wanted = [c for c in containers if policy_of(spec, c) != "OnFailure" or not succeeded(runtime.latest(c["name"]))]
    if not wanted:
        return PodActions(kill_pod=True, attempt=attempt)
    kill_pod = bool(runtime.sandboxes)
    inits = pod["spec"].get("initContainers") or []
    if inits:
        return PodActions(kill_pod, True, attempt=attempt, start=(inits[0]["name"],))
    return PodActions(kill_pod, True, attempt=attempt, start=tuple(c["name"] for c in wanted), initialized=True)


def succeeded(container: Container | None) -> bool:
    return container is not None and container.state is State.EXITED and container.exit_code == 0


def decide_init_containers(
    pod: Object, runtime: RuntimePod, health: Health, begun: bool, sandbox: str
) -> tuple[tuple[str, ...], tuple[Kill, ...], bool]:
    """(init containers to start, sidecars to kill, whether all are done). Those before the first unfinished one that
    are sidecars are kept alive; once the pod's containers have begun, only sidecars matter."""
    starts: list[str] = []
    kills: list[Kill] = []
    for container in pod["spec"].get("initContainers") or []:
        last = runtime.latest(container["name"])
        here = last if last is not None and last.sandbox == sandbox else None
        if is_sidecar(container):
            if here is None or here.state is State.EXITED or here.state is State.UNKNOWN:
                starts.append(container["name"])
                if not begun:
                    return tuple(starts), tuple(kills), False
                continue
            if why := health.failed.get(here.id):
                kills.append(Kill(here, "Unhealthy", why, health.grace.get(here.id)))
                starts.append(container["name"])
            elif container_hash(container) != here.hash and here.hash:
                kills.append(Kill(here, "Changed", MESSAGE_CHANGED))
                starts.append(container["name"])
            if here.id not in health.started and not begun:
                return tuple(starts), tuple(kills), False
        elif not begun and not succeeded(here):
            if here is None or (here.state is not State.RUNNING and should_restart(pod, container, here)):
                starts.append(container["name"])
            return tuple(starts), tuple(kills), False
    return tuple(starts), tuple(kills), True


def init_failed(pod: Object, runtime: RuntimePod, sandbox: str) -> bool:
    """Whether an init container failed and is not started again."""
    for container in pod["spec"].get("initContainers") or []:
        last = runtime.latest(container["name"])
        if (
            not is_sidecar(container)
            and last
            and last.sandbox == sandbox
            and last.state is State.EXITED
            and last.exit_code
            and not restarts_after(pod["spec"], container, last.exit_code)
        ):
            return True
    return False


def decide_containers(
    pod: Object, current: Mapping[str, Container | None], health: Health
) -> tuple[tuple[str, ...], tuple[Kill, ...], int]:
    """(containers to start, containers to kill, how many keep running)."""
    starts: list[str] = []
    kills: list[Kill] = []
    keep = 0
    for container in pod["spec"]["containers"]:
        last = current[container["name"]]
        if last is None or last.state is not State.RUNNING:
            if should_restart(pod, container, last):
                starts.append(container["name"])
                if last is not None and last.state is State.UNKNOWN:
                    kills.append(
                        Kill(last, "Unknown", f"Container is in {last.state} state, try killing it before restart")
                    )
            continue
        restart = policy_of(pod["spec"], container) != "Never"
        if last.hash and last.hash != container_hash(container):
            kills.append(Kill(last, "Changed", f"Container {last.name} definition changed"))
            starts.append(container["name"])
        elif why := health.failed.get(last.id):
            kills.append(Kill(last, "Unhealthy", why, health.grace.get(last.id)))
            if restart:
                starts.append(container["name"])
            else:
                keep += 1  # until its end is seen
        else:
            keep += 1
    return tuple(starts), tuple(kills), keep
