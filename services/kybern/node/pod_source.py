"""Where an agent learns of its pods: one watch for all nodes of this process, handed out by `spec.nodeName`."""

from collections.abc import Mapping
from random import Random
from typing import Protocol

from kybern.client.messages import DELETED, Events, Objects
from kybern.client.objects import Client
from kybern.client.reflector import Reflector
from kybern.client.resources import PODS
from kybern.kube.meta import Object
from kybern.telemetry import Telemetry


class PodListener(Protocol):
    """A node's agent, as the source sees it."""

    def pods_replaced(self, pods: Objects) -> None:
        """The node's pods are exactly these."""
        ...

    def pod_changed(self, pod: Object, traceparent: str) -> None: ...

    def pod_deleted(self, pod: Object) -> None: ...


class PodSource:
    """Pods of some nodes. One node: the apiserver selects. Several: this does."""

    def __init__(self, client: Client, nodes: Mapping[str, PodListener], random: Random, telemetry: Telemetry) -> None:
        self._nodes = nodes
        selector = f"spec.nodeName={next(iter(nodes))}" if len(nodes) == 1 else "spec.nodeName!="
        self._reflector = Reflector(client, PODS, self, random, telemetry.log, field_selector=selector)

    async def run(self) -> None:
        """Inform the nodes until cancelled."""
        await self._reflector.run()

    def replace(self, objects: Objects) -> None:
        """A list: every node gets its own."""
        mine: dict[str, Objects] = {name: [] for name in self._nodes}
        for pod in objects:
            node = pod["spec"].get("nodeName", "")
            if node in mine:
                mine[node].append(pod)
        for name, listener in self._nodes.items():
            listener.pods_replaced(mine[name])

    def apply(self, events: Events) -> None:
        """Changes, in order."""
        for event in events:
            node = event.object["spec"].get("nodeName", "")
            listener = self._nodes.get(node)
            if listener is None:
                continue
            if event.type == DELETED:
                listener.pod_deleted(event.object)
            else:
                listener.pod_changed(event.object, event.traceparent)
