"""The node agent's metrics, under the kubelet's names; shared by all nodes of a process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What agents count."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.pods = Gauge("kubelet_active_pods", "Pods that have a worker", registry=registry)
        self.start = Histogram(
            "kubelet_pod_start_duration_seconds",
            "From seeing a pod to its first container running",
            registry=registry,
            buckets=SECONDS,
        )
        self.relist = Histogram(
            "kubelet_pleg_relist_duration_seconds", "One look at the whole runtime", registry=registry, buckets=SECONDS
        )
        self.restarts = Counter("kubelet_container_restarts", "Containers started again", registry=registry)
        self.image_volumes = Counter("kubelet_image_volume_requested", "Image volumes asked for", registry=registry)
        self.image_volumes_mounted = Counter(
            "kubelet_image_volume_mounted_succeed", "Image volumes mounted", registry=registry
        )
        self.image_volumes_failed = Counter(
            "kubelet_image_volume_mounted_errors", "Image volumes not mounted", registry=registry
        )
        self.sync_errors = Counter("kubelet_pod_sync_errors", "Rounds of pod workers that failed", registry=registry)
