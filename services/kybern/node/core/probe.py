"""Probes: what a row of results means. Each probe has a state; time stays outside."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from kybern.kube.meta import Object


class Kind(StrEnum):
    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"


FIELDS = {Kind.STARTUP: "startupProbe", Kind.LIVENESS: "livenessProbe", Kind.READINESS: "readinessProbe"}


@dataclass(frozen=True, slots=True)
class ProbeState:
    """One probe of one container: its standing verdict, and how many results in a row speak otherwise."""

    kind: Kind
    passing: bool
    success_threshold: int = 1
    failure_threshold: int = 3
    run: int = 0  # length of the current row of equal results
    last: bool | None = None
    message: str = ""


def initial(kind: Kind, probe: Object) -> ProbeState:
    """Liveness is assumed until it fails; startup and readiness have to be shown."""
    return ProbeState(
        kind, kind is Kind.LIVENESS, probe.get("successThreshold") or 1, probe.get("failureThreshold") or 3
    )


def observe(state: ProbeState, success: bool, message: str) -> ProbeState:
    """The state after one more result."""
    run = state.run + 1 if state.last is success else 1
    state = replace(state, run=run, last=success, message=message)
    threshold = state.success_threshold if success else state.failure_threshold
    return replace(state, passing=success) if run >= threshold else state


def failed(state: ProbeState) -> bool:
    """Whether the container has to be restarted: a startup or liveness probe that failed often enough."""
    if state.kind is Kind.READINESS or state.passing:
        return False
    return state.last is False and state.run >= state.failure_threshold


def period(probe: Object) -> float:
    return float(probe.get("periodSeconds") or 10)


def timeout(probe: Object) -> float:
    return float(probe.get("timeoutSeconds") or 1)


def resolve_port(container: Object, port: Any) -> int:
    """A number, or the name of one of the container's ports. Raises ValueError."""
    if isinstance(port, int):
        return port
    for named in container.get("ports") or []:
        if named.get("name") == port:
            return int(named["containerPort"])
    if str(port).isdigit():
        return int(port)
    raise ValueError(f'couldn\'t find port: "{port}" in container {container["name"]}')
