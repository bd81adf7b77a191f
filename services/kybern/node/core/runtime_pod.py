"""A pod as the runtime sees it: its sandboxes and containers, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class State(StrEnum):
    """Where a container is in its life."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Container:
    """One container, dead or alive; an attempt more than its predecessor of the same name."""

    id: str
    name: str
    sandbox: str
    attempt: int = 0
    state: State = State.RUNNING
    hash: str = ""
    image: str = ""
    image_ref: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    log_path: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    runtime: str = "containerd"  # who runs it

    @property
    def uri(self) -> str:
        """Its name in a pod's status."""
        return f"{self.runtime}://{self.id}"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """One sandbox: the namespaces that a pod's containers share."""

    id: str
    attempt: int = 0
    ready: bool = True
    created_at: datetime | None = None
    ips: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class RuntimePod:
    """Everything the runtime has of one pod."""

    uid: str
    namespace: str
    name: str
    sandboxes: tuple[Sandbox, ...] = ()
    containers: tuple[Container, ...] = ()

    def latest(self, name: str) -> Container | None:
        """The newest container of this name."""
        return next((c for c in self.containers if c.name == name), None)

    def previous(self, name: str) -> Container | None:
        """The newest dead container of this name that is not the newest of all."""
        rest = [c for c in self.containers if c.name == name][1:]
        return next((c for c in rest if c.state is State.EXITED), None)

    @property
    def ready_sandbox(self) -> Sandbox | None:
        return next((s for s in self.sandboxes if s.ready), None)

    @property
    def alive(self) -> tuple[Container, ...]:
        """Containers that may still run."""
        return tuple(c for c in self.containers if c.state in (State.RUNNING, State.CREATED, State.UNKNOWN))


def from_nanos(nanos: int) -> datetime | None:
    """CRI's time (nanoseconds since the epoch, 0 for none)."""
    return datetime.fromtimestamp(nanos / 1e9, UTC) if nanos > 0 else None
