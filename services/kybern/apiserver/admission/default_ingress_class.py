"""DefaultIngressClass: an Ingress that names no class gets the one that is marked as default."""

from kybern.apiserver.admission.marked import newest_default
from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request

GROUP = "networking.k8s.io"
DEFAULT = "ingressclass.kubernetes.io/is-default-class"
OLD = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    """See the module's docstring."""

    name = "DefaultIngressClass"
    concerns = frozenset({(GROUP, "ingresses")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        spec = new.get("spec")
        named = isinstance(spec, dict) and spec.get("ingressClassName") is not None
        if not isinstance(spec, dict) or named or OLD in (new["metadata"].get("annotations") or {}):
            return
        name = newest_default(request, GROUP, "ingressclasses", DEFAULT)
        if name:
            spec["ingressClassName"] = name
