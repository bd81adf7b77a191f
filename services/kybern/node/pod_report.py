"""What a worker says of its pod: the status, computed anew after every look, and the `ready` step of its trace."""

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.node.context import NodeContext
from kybern.node.core.pod_actions import Health
from kybern.node.core.pod_status import Observed, compute_status
from kybern.node.core.pod_update import TERMINAL, with_status
from kybern.node.core.runtime_pod import RuntimePod
from kybern.telemetry import Span
from kybern.telemetry.telemetry import NO_SPAN

Waiting = dict[str, tuple[str, str]]


class PodReport:
    """The last status of one pod, and why the node itself ended it (`failure`)."""

    def __init__(self, node: NodeContext) -> None:
        self._node = node
        self.status: Object | None = None
        self.failure: tuple[str, str] | None = None
        self.given: dict[str, Object] = {}  # id of a container → resources it has been given while it ran
        self._ready: Span | None = None

    def is_terminal(self, pod: Object) -> bool:
        """Whether the pod has succeeded or failed, for good."""
        return (self.status or pod.get("status") or {}).get("phase") in TERMINAL

    def compute(
        self,
        pod: Object,
        runtime: RuntimePod,
        health: Health,
        waiting: Waiting,
        initialized: bool,
        ended: bool = False,
        resizing: tuple[Object, ...] = (),
    ) -> bool:
        """Bring `status` up to date; True if it says something new. `ended`: the pod has been stopped for good."""
        now = self._node.clock.now()
        seen = Observed(
            runtime, now, health, waiting, self._node.host_ips, initialized, self.failure, ended, self.given, resizing
        )
        status = compute_status(with_status(pod, self.status), seen)
        if status == self.status:
            return False
        self.status = status
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])
        if self._ready is not None and (ready or status["phase"] in TERMINAL):
            self._ready.end()
            self._ready = NO_SPAN
        return True

    def begin_ready(self, pod: Object, traceparent: str) -> None:
        """The containers have been started: from now on the pod is awaited to be ready. Counts once."""
        if self._ready is None and traceparent:
            names = {"k8s.pod.name": meta.name(pod), "k8s.namespace.name": meta.namespace(pod)}
            names |= {"k8s.node.name": self._node.name, "k8s.resource": "pods", "k8s.object.name": meta.name(pod)}
            self._ready = self._node.telemetry.start_span("ready", traceparent, attributes=names)

    def seconds_to_deadline(self, pod: Object) -> float | None:
        """Until activeDeadlineSeconds are over, counted from the status' startTime; None without a deadline."""
        seconds = pod["spec"].get("activeDeadlineSeconds")
        if seconds is None:
            return None
        start = meta.parse_time((self.status or pod.get("status") or {}).get("startTime"))
        return float(seconds) - (0.0 if start is None else (self._node.clock.now() - start).total_seconds())

    def refuse(self, pod: Object, reason: str, message: str) -> None:
        """The node does not take the pod."""
        self.failure = (reason, f"Pod was rejected: {message}")
        self._node.event(pod, "Warning", reason, message)

    def fail_for_deadline(self, pod: Object) -> None:
        self.failure = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        self._node.event(pod, "Normal", *self.failure)
