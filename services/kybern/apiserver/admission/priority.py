"""Priority: a pod's priorityClassName becomes its spec.priority and preemptionPolicy; one class may be the default."""

from kybern.apiserver.admission.plugin import CREATE, UPDATE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.status import StatusError, forbidden

GROUP = "scheduling.k8s.io"
HIGHEST_USER = 1_000_000_000


class Priority(Plugin):
    """See the module's docstring."""

    name = "Priority"
    concerns = frozenset({("", "pods"), (GROUP, "priorityclasses")})

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        if request.resource != "pods" or request.subresource:
            return
        spec = new.get("spec")
        if not isinstance(spec, dict):
            return
        if operation == UPDATE and old is not None:
            before = old.get("spec") or {}
            for member in ("priority", "preemptionPolicy"):
                if spec.get(member) is None and before.get(member) is not None:
                    spec[member] = before[member]
        elif operation == CREATE:
            _set(request, spec)

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        if request.resource == "priorityclasses" and new is not None and new.get("globalDefault"):
            default = _default(request)
            if default is not None and default["metadata"]["name"] != request.name:
                name = default["metadata"]["name"]
                why = f"PriorityClass {name} is already marked as default. Only one default can exist"
                raise forbidden(GROUP, "priorityclasses", request.name, why)


def _set(request: Request, spec: Object) -> None:
    name = spec.get("priorityClassName") or ""
    if name:
        entry = request.server.table.cacher(GROUP, "priorityclasses").get("", name)
        if entry is None:
            raise forbidden("", "pods", request.name, f"no PriorityClass with name {name} was found")
        found = entry.decode()
    else:
        found = _default(request) or {"value": 0}
        name = (found.get("metadata") or {}).get("name", "")
    value = found.get("value", 0)
    if spec.get("priority") is not None and spec["priority"] != value:
        raise _given(request, f"integer value of priority ({spec['priority']})", value)
    if name:
        spec["priorityClassName"] = name
    spec["priority"] = value
    policy = found.get("preemptionPolicy") or "PreemptLowerPriority"
    if spec.get("preemptionPolicy") not in (None, policy):
        raise _given(request, f"string value of PreemptionPolicy ({spec['preemptionPolicy']})", policy)
    spec["preemptionPolicy"] = policy


def _given(request: Request, what: str, computed: object) -> StatusError:
    """A pod states what its class decides."""
    why = (
        f"the {what} must not be provided in pod spec; priority admission controller computed {computed} "
        "from the given PriorityClass name"
    )
    return forbidden("", "pods", request.name, why)


def _default(request: Request) -> Object | None:
    for entry in request.server.table.cacher(GROUP, "priorityclasses").entries.values():
        if b'"globalDefault":true' in entry.data:
            return entry.decode()
    return None
