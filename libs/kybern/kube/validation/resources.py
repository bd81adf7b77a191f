"""Resource requirements: names and amounts of requests and limits, and requests within limits."""

from kybern.kube import quantity
from kybern.kube.field import invalid, required
from kybern.kube.validation.fields import Errors, Object, child, resource_amount, text
from kybern.kube.validation.names import qualified_name

_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD_OBJECT = frozenset(
    {
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
        "persistentvolumeclaims", "storage", "services.nodeports", "services.loadbalancers", "requests.cpu",
        "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
        "limits.ephemeral-storage", "count",
    }
)  # fmt: skip
_HUGE_PAGES = "hugepages-"
_ATTACHABLE = "attachable-volumes-"


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    """A resource that neither Kubernetes itself nor a quota names."""
    return not is_native(name) and not name.startswith("requests.")


def is_standard_container_resource(name: str) -> bool:
    return name in _STANDARD or name.startswith(_HUGE_PAGES)


def is_standard_resource(name: str) -> bool:
    return name in _STANDARD or name in _STANDARD_OBJECT or name.startswith(_HUGE_PAGES)


def container_resource_name(name: str, path: str) -> Errors:
    yield from text(name, path, qualified_name)
    if "/" not in name:
        if not is_standard_container_resource(name):
            yield invalid(path, name, "must be a standard resource for containers")
    elif not is_native(name) and name.startswith("requests."):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def validate_requirements(resources: Object, path: str) -> Errors:
    """A container's `resources`."""
    limits, requests = child(resources, "limits"), child(resources, "requests")
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            at = f"{path}.{field}"
            yield from container_resource_name(name, at)
            yield from resource_amount(amount, f"{at}[{name}]")
            yield from _whole(name, amount, f"{at}[{name}]")
    for name, amount in requests.items():
        at = f"{path}.requests"
        limit = limits.get(name)
        if limit is None:
            if is_extended(name) or name.startswith(_HUGE_PAGES):
                yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
            continue
        if is_extended(name) or name.startswith(_HUGE_PAGES):
            if quantity.parse(amount) != quantity.parse(limit):
                yield invalid(at, amount, f"must be equal to {name} limit of {limit}")
        elif quantity.parse(amount) > quantity.parse(limit):
            yield invalid(at, amount, f"must be less than or equal to {name} limit of {limit}")


def _whole(name: str, amount: str, path: str) -> Errors:
    """Counted resources come in whole units."""
    if is_extended(name) and quantity.parse(amount).nanos % quantity.NANO:
        yield invalid(path, amount, "must be an integer")


def validate_resource_list(amounts: Object, path: str) -> Errors:
    """Capacity, quota or overhead: any qualified name, no negative amount."""
    for name, amount in amounts.items():
        at = f"{path}[{name}]"
        yield from text(name, at, qualified_name)
        if "/" not in name and not is_standard_resource(name) and not name.startswith(_ATTACHABLE):
            yield invalid(at, name, "must be a standard resource type or fully qualified")
        yield from resource_amount(amount, at)
