"""From watch events to the core: pods go into the queue or into the cache, nodes into columns, and both wake others."""

from kybern.client.informer import EventHandler, SharedInformer
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.scheduler.core.framework import Event
from kybern.scheduler.core.preemption import Budget
from kybern.scheduler.loop import Loop


def watch_nodes(informer: SharedInformer, loop: Loop) -> None:
    """Keep the columns in step with nodes."""

    def changed(node: Object) -> None:
        for event in sorted(loop.cache.set_node(node), key=lambda event: event.value):
            loop.move(event, node)

    def deleted(node: Object, final_state_unknown: bool) -> None:
        loop.cache.remove_node(meta.name(node))
        loop.move(Event.NODE_DELETE, node)

    informer.add_handler(EventHandler(changed, lambda old, new: changed(new), deleted))


def watch_pods(informer: SharedInformer, loop: Loop) -> None:
    """Keep queue and cache in step with pods."""

    def deleted(obj: Object, final_state_unknown: bool = False) -> None:
        loop.drop(meta.uid(obj))

    def changed(obj: Object) -> None:
        pod = loop.facts_of.pod(obj)
        if pod.finished:
            deleted(obj)
        elif pod.node:
            loop.confirm(pod)
        elif pod.facts.deleting or pod.scheduler != loop.name:
            loop.ignore(pod.uid)
        elif pod.uid not in loop.cache:  # else it is being bound
            loop.enqueue(pod, informer.traceparent(pod.key))

    informer.add_handler(EventHandler(changed, lambda old, new: changed(new), deleted))


def watch_namespaces(informer: SharedInformer, loop: Loop) -> None:
    """Know the labels of namespaces, which affinity terms may select."""

    def changed(namespace: Object) -> None:
        loop.cache.nodes.set_namespace(meta.name(namespace), meta.labels(namespace))

    def deleted(namespace: Object, final_state_unknown: bool) -> None:
        loop.cache.nodes.set_namespace(meta.name(namespace), None)

    informer.add_handler(EventHandler(changed, lambda old, new: changed(new), deleted))


def watch_budgets(informer: SharedInformer, loop: Loop) -> None:
    """Know the disruption budgets, which preemption spares."""

    def changed(budget: Object) -> None:
        loop.budgets[meta.key(budget)] = Budget.read(budget)

    def deleted(budget: Object, final_state_unknown: bool) -> None:
        loop.budgets.pop(meta.key(budget), None)

    informer.add_handler(EventHandler(changed, lambda old, new: changed(new), deleted))
