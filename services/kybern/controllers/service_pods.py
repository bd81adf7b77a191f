"""Which Services a pod's change concerns: the queue handlers of both endpoints controllers.

The endpoints of a Service are computed from all of its pods. For one with many, changes are gathered for a while (a
millisecond for each pod, a second at most), so that a rollout of a thousand pods does not count all of them each time.
"""

from kybern.client.informer import EventHandler, SharedInformer, each
from kybern.client.store import NAMESPACE
from kybern.client.workqueue import RateLimitingQueue
from kybern.controllers.core.services import concerns_endpoints, has_selector
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_labels

FEW_PODS = 50  # up to here a change is acted on at once
SECONDS_PER_POD, MAX_SECONDS = 0.001, 1.0


class ServicePods:
    """Puts Services on a queue when they or the pods behind them change."""

    def __init__(self, services: SharedInformer, pods: SharedInformer, queue: RateLimitingQueue) -> None:
        self._services = services
        self._pods = pods
        self._queue = queue
        self._sizes: dict[str, int] = {}  # pods behind large Services, by key
        services.add_handler(each(lambda service: queue.add(meta.key(service))))
        services.add_handler(EventHandler(on_delete=lambda service, _: self._forget(service)))
        pods.add_handler(EventHandler(self._pod_changed, self._pod_updated, lambda pod, _: self._pod_changed(pod)))

    def behind(self, service: Object) -> list[Object]:
        """The pods that a Service selects."""
        selector = from_labels(service["spec"]["selector"])
        candidates = self._pods.store.by_index(NAMESPACE, meta.namespace(service))
        found = [pod for pod in candidates if selector.matches(meta.labels(pod))]
        if len(found) > FEW_PODS:
            self._sizes[meta.key(service)] = len(found)
        else:
            self._sizes.pop(meta.key(service), None)
        return found

    def _forget(self, service: Object) -> None:
        self._sizes.pop(meta.key(service), None)

    def _pod_updated(self, old: Object, new: Object) -> None:
        if not concerns_endpoints(old, new):
            return
        if meta.labels(old) != meta.labels(new):
            self._pod_changed(old)
        self._pod_changed(new)

    def _pod_changed(self, pod: Object) -> None:
        labels = meta.labels(pod)
        for service in self._services.store.by_index(NAMESPACE, meta.namespace(pod)):
            if has_selector(service) and from_labels(service["spec"]["selector"]).matches(labels):
                key = meta.key(service)
                self._queue.add_after(key, min(MAX_SECONDS, self._sizes.get(key, 0) * SECONDS_PER_POD))
