"""LimitRanger: a namespace's LimitRanges give containers default requests and limits, and bound them."""

from kybern.apiserver.admission.plugin import CREATE, UPDATE, Object, Plugin
from kybern.apiserver.core.limit_ranges import Usage, check, set_defaults, total_of, usage_of
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.selection import Selection
from kybern.kube.status import forbidden


class LimitRanger(Plugin):
    """See the module's docstring."""

    name = "LimitRanger"

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if operation == CREATE and _is_pod(request):
            for item in _items(request, "Container"):
                set_defaults(new, item)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if new is None or request.group or request.subresource or operation not in (CREATE, UPDATE):
            return
        problems: list[str] = []
        if _is_pod(request) and operation == CREATE:
            containers = [usage_of(container) for container in _containers(new)]
            for item in _items(request, "Container"):
                for usage in containers:
                    problems += check(item, usage)
            total = total_of(new)
            for item in _items(request, "Pod"):
                problems += check(item, total)
        elif request.resource == "persistentvolumeclaims":
            usage = usage_of(new.get("spec") or {})
            for item in _items(request, "PersistentVolumeClaim"):
                problems += check(item, Usage(usage.requests, usage.requests))
        if problems:
            why = problems[0] if len(problems) == 1 else f"[{', '.join(dict.fromkeys(problems))}]"
            raise forbidden("", request.resource, request.name, why)


def _is_pod(request: Request) -> bool:
    return request.resource == "pods" and not request.group and not request.subresource


def _items(request: Request, kind: str) -> list[Object]:
    ranges = request.server.table.cacher("", "limitranges").select(Selection(request.namespace))
    return [item for r in ranges for item in (r.decode().get("spec") or {}).get("limits") or () if item["type"] == kind]


def _containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    return [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
