"""TaintNodesByCondition: a new node is not ready until the node lifecycle controller says so."""

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    """See the module's docstring."""

    name = "TaintNodesByCondition"
    concerns = frozenset({("", "nodes")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        if not isinstance(new.get("spec"), dict):
            new["spec"] = {}
        taints = new["spec"].get("taints") or []
        if not any((taint.get("key"), taint.get("effect")) == (TAINT["key"], TAINT["effect"]) for taint in taints):
            new["spec"]["taints"] = [*taints, dict(TAINT)]
