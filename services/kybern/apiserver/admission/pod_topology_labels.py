"""PodTopologyLabels: a pod that gets its node gets the node's zone and region labels too, by way of its Binding."""

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request

COPIED = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(Plugin):
    """What the node says replaces what the pod says; a target without a kind, or `bindings`, brings nothing."""

    name = "PodTopologyLabels"
    concerns = frozenset({("", "pods")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE:
            return
        if (request.resource, request.subresource) == ("pods", "binding"):
            target = new.get("target") or {}
            name = target.get("name") if target.get("kind") == "Node" else None
        elif (request.resource, request.subresource) == ("pods", ""):
            name = (new.get("spec") or {}).get("nodeName")
        else:
            return
        node = request.server.table.cacher("", "nodes").get("", name) if name else None
        found = {label: node.labels[label] for label in COPIED if label in node.labels} if node is not None else {}
        if found:
            new["metadata"]["labels"] = {**(new["metadata"].get("labels") or {}), **found}
