"""RuntimeClass: a pod's runtime class must exist; its overhead and its scheduling rules become the pod's."""

from kybern.apiserver.admission.plugin import CREATE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.quota.amounts import read
from kybern.kube.status import forbidden
from kybern.kube.tolerations import merged

GROUP = "node.k8s.io"


class RuntimeClass(Plugin):
    """See the module's docstring."""

    name = "RuntimeClass"
    concerns = frozenset({("", "pods")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation != CREATE or request.subresource:
            return
        spec = new.get("spec") or {}
        name = spec.get("runtimeClassName")
        if not name:
            return
        entry = request.server.table.cacher(GROUP, "runtimeclasses").get("", name)
        if entry is None:
            raise forbidden("", "pods", request.name, f'pod rejected: RuntimeClass "{name}" not found')
        found = entry.decode()
        _set_overhead(request, spec, (found.get("overhead") or {}).get("podFixed"))
        scheduling = found.get("scheduling") or {}
        selector = dict(spec.get("nodeSelector") or {})
        for key, value in (scheduling.get("nodeSelector") or {}).items():
            if selector.setdefault(key, value) != value:
                why = (
                    f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                    f"pod.spec.nodeSelector[{key}] = {selector[key]}"
                )
                raise forbidden("", "pods", request.name, why)
        if selector:
            spec["nodeSelector"] = selector
        if scheduling.get("tolerations"):
            spec["tolerations"] = merged(spec.get("tolerations") or (), scheduling["tolerations"])

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if operation != CREATE or request.subresource or new is None:
            return
        spec = new.get("spec") or {}
        entry = request.server.table.cacher(GROUP, "runtimeclasses").get("", spec.get("runtimeClassName") or "")
        if spec.get("overhead") and not (entry is not None and (entry.decode().get("overhead") or {}).get("podFixed")):
            why = "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
            raise forbidden("", "pods", request.name, why)


def _set_overhead(request: Request, spec: Object, overhead: Object | None) -> None:
    if overhead and spec.get("overhead") and read(spec["overhead"]) != read(overhead):
        why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
        raise forbidden("", "pods", request.name, why)
    if overhead:
        spec["overhead"] = overhead
