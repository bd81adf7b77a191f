"""LimitRanger: a namespace's LimitRanges give containers default requests and limits, and bound them."""

from kybern.apiserver.admission.plugin import CREATE, UPDATE, Object, Plugin
from kybern.apiserver.core.limit_ranges import check, check_claim, set_defaults, total_of, usage_of
from kybern.apiserver.registry.request import Request
from kybern.apiserver.storage.selection import Selection
from kybern.kube.status import forbidden


class LimitRanger(Plugin):
    """Pods when they are made or resized, claims whenever they change; nothing that is being deleted."""

    name = "LimitRanger"
    concerns = frozenset({("", "pods"), ("", "persistentvolumeclaims")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if _is_pod(request, operation) and not _is_ending(old):
            for limits in _ranges(request):
                for item in limits:
                    if item["type"] == "Container":
                        set_defaults(new, item)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if new is None or _is_ending(old):
            return
        is_claim = request.resource == "persistentvolumeclaims" and not request.subresource
        if not _is_pod(request, operation) and not (is_claim and operation in (CREATE, UPDATE)):
            return
        for limits in _ranges(request):
            problems = [problem for item in limits for problem in (_of_claim if is_claim else _of_pod)(item, new)]
            if problems:
                found = list(dict.fromkeys(problems))
                why = found[0] if len(found) == 1 else f"[{', '.join(found)}]"
                raise forbidden("", request.resource, request.name, why)


def _of_pod(item: Object, pod: Object) -> list[str]:
    if item["type"] == "Pod":
        return check(item, total_of(pod))
    if item["type"] != "Container":
        return []
    spec = pod.get("spec") or {}
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    return [problem for container in containers for problem in check(item, usage_of(container))]


def _of_claim(item: Object, claim: Object) -> list[str]:
    if item["type"] != "PersistentVolumeClaim":
        return []
    return check_claim(item, usage_of(claim.get("spec") or {}).requests)


def _is_pod(request: Request, operation: str) -> bool:
    """A pod whose containers' resources may change."""
    return request.resource == "pods" and (operation, request.subresource) in ((CREATE, ""), (UPDATE, "resize"))


def _is_ending(old: Object | None) -> bool:
    return bool(old and old["metadata"].get("deletionTimestamp"))


def _ranges(request: Request) -> list[list[Object]]:
    """The items of each of the namespace's LimitRanges."""
    found = request.server.table.cacher("", "limitranges").select(Selection(request.namespace))
    return [(entry.decode().get("spec") or {}).get("limits") or [] for entry in found]
