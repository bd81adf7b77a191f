"""What all pods of one node share."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from kybern.client.events import EventRecorder
from kybern.client.objects import Client
from kybern.clock import Clock
from kybern.kube.meta import Object
from kybern.node.core.backoff import Backoff
from kybern.node.core.pod_sandbox import NodeSettings
from kybern.node.cri.client import Runtime
from kybern.node.host import Host
from kybern.node.metrics import Metrics
from kybern.node.references import References
from kybern.node.runtime_cache import RuntimeCache
from kybern.node.status_writer import StatusWriter
from kybern.telemetry import Telemetry


@dataclass
class NodeContext:
    """Tools and facts of one node."""

    settings: NodeSettings
    runtime: Runtime
    cache: RuntimeCache
    client: Client
    clock: Clock
    random: Random
    telemetry: Telemetry
    recorder: EventRecorder
    writer: StatusWriter
    host: Host
    references: References
    services: Callable[[], Iterable[Object]]
    host_ips: tuple[str, ...]
    logs_root: str
    release: Callable[[str], None]  # a pod's tokens and references
    metrics: Metrics
    allocatable: dict[str, str] = field(default_factory=dict)
    crashes: Backoff = field(default_factory=Backoff)
    pulls: Backoff = field(default_factory=Backoff)
    pull_errors: dict[str, str] = field(default_factory=dict)  # by pod and image, for who waits to pull again
    simulated: bool = False
    room: Callable[[Object], str] = lambda pod: ""  # why the node has none for what a pod asks for
    freed: Callable[[], None] = lambda: None  # somebody needs less: others may be waiting for that

    @property
    def name(self) -> str:
        return self.settings.node_name

    def event(
        self, pod: Object, type_: str, reason: str, message: str, container: str = "", init: bool = False
    ) -> None:
        """Record an Event about a pod or one of its containers."""
        field_ = f"spec.{'initContainers' if init else 'containers'}{{{container}}}" if container else ""
        self.recorder.event(pod, type_, reason, message, field_path=field_)
