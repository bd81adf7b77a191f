"""Which Services a pod's change concerns: the queue handlers of both endpoints controllers."""

from kybern.client.informer import EventHandler, SharedInformer, each
from kybern.client.store import NAMESPACE
from kybern.client.workqueue import RateLimitingQueue
from kybern.controllers.core.services import concerns_endpoints, has_selector
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.selectors import from_labels


class ServicePods:
    """Puts Services on a queue when they or the pods behind them change."""

    def __init__(self, services: SharedInformer, pods: SharedInformer, queue: RateLimitingQueue) -> None:
        self._services = services
        self._pods = pods
        self._queue = queue
        services.add_handler(each(lambda service: queue.add(meta.key(service))))
        pods.add_handler(EventHandler(self._pod_changed, self._pod_updated, lambda pod, _: self._pod_changed(pod)))

    def behind(self, service: Object) -> list[Object]:
        """The pods that a Service selects."""
        selector = from_labels(service["spec"]["selector"])
        candidates = self._pods.store.by_index(NAMESPACE, meta.namespace(service))
        return [pod for pod in candidates if selector.matches(meta.labels(pod))]

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
                self._queue.add(meta.key(service))
