"""Resource requirements: names and amounts of requests and limits, and requests within limits."""

from kybern.kube import quantity
from kybern.kube.field import duplicate, forbidden, invalid, not_found, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, resource_amount, text
from kybern.kube.validation.names import dns1123_label, label_key, qualified_name

_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_STANDARD_OBJECT = frozenset(
    {
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
        "persistentvolumeclaims", "storage", "services.nodeports", "services.loadbalancers", "requests.cpu",
        "requests.memory", "requests.storage", "requests.ephemeral-storage", "limits.cpu", "limits.memory",
        "limits.ephemeral-storage", "count",
    }
)  # fmt: skip
_COUNTED = frozenset(
    {"pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims",
     "services.nodeports", "services.loadbalancers"}
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
    wrong = list(text(name, path, label_key))
    yield from wrong
    if "/" not in name:
        if not wrong and not is_standard_resource(name):
            yield invalid(path, name, "must be a standard resource type or fully qualified")
        if not is_standard_container_resource(name):
            yield invalid(path, name, "must be a standard resource for containers")
    elif not is_native(name) and (name.startswith("requests.") or label_key(f"requests.{name}")):
        yield invalid(path, name, "doesn't follow extended resource name standard")


def pod_resource_name(name: str, path: str) -> Errors:
    """What a pod as a whole may ask for."""
    wrong = list(text(name, path, label_key))
    yield from wrong
    if wrong:
        return
    if "/" not in name and not is_standard_resource(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")
    elif name not in ("cpu", "memory") and not name.startswith(_HUGE_PAGES):
        yield not_supported(path, name, ("cpu", _HUGE_PAGES, "memory"))


def validate_requirements(
    resources: Object, path: str, *, claims: frozenset[str] | None = None, of_pod: bool = False
) -> Errors:
    """A container's `resources`, or those of the whole pod; of claims only where the pod's claims are given."""
    limits, requests = child(resources, "limits"), child(resources, "requests")
    check = pod_resource_name if of_pod else container_resource_name
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            at = f"{path}.{field}[{name}]"
            yield from check(name, at)
            yield from resource_amount(amount, at)
            yield from validate_whole(name, amount, at)
            if name.startswith(_HUGE_PAGES) and not _fills_pages(name, amount):
                yield invalid(at, amount, f"{amount} is not positive integer multiple of {name}")
    for name, amount in requests.items():
        at = f"{path}.requests"
        limit = limits.get(name)
        counted = not is_native(name) or name.startswith(_HUGE_PAGES)
        if limit is None:
            if counted:
                yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")
            continue
        if counted:
            if quantity.parse(amount) != quantity.parse(limit):
                yield invalid(at, amount, f"must be equal to {name} limit of {limit}")
        elif quantity.parse(amount) > quantity.parse(limit):
            yield invalid(at, amount, f"must be less than or equal to {name} limit of {limit}")
    asked = {*limits, *requests}
    if any(name.startswith(_HUGE_PAGES) for name in asked) and not asked & {"cpu", "memory"}:
        yield forbidden(path, "HugePages require cpu or memory")
    if claims is not None:
        yield from _claims(resources.get("claims") or [], claims, f"{path}.claims")


def _fills_pages(name: str, amount: str) -> bool:
    """Whether an amount of huge pages is a number of pages."""
    try:
        size = quantity.parse(name.removeprefix(_HUGE_PAGES)).nanos
    except ValueError:
        return False
    return size > 0 and quantity.parse(amount).nanos % size == 0


def _claims(used: list[Object], claims: frozenset[str], path: str) -> Errors:
    """Devices that a container uses are of claims of its pod, each named once, as a whole or by requests."""
    known = f": {', '.join(sorted(claims))}" if claims else " which is empty"
    seen: set[str] = set()
    for index, claim in enumerate(used):
        at, name, request = f"{path}[{index}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            yield required(at)
            continue
        shown = f"{name}/{request}" if request else name
        if shown in seen or name in seen:
            yield duplicate(at, shown)
        seen.add(shown)
        if name not in claims:
            yield not_found(at, name, f"must be one of the names in pod.spec.resourceClaims{known}")
        if request:
            yield from text(request, f"{at}.request", dns1123_label)


def validate_overhead(amounts: Object, path: str) -> Errors:
    """What a pod costs beyond its containers."""
    yield from validate_requirements({"limits": amounts}, path)


def validate_whole(name: str, amount: str, path: str) -> Errors:
    """Counted resources come in whole units."""
    if (is_extended(name) or name in _COUNTED) and quantity.parse(amount).nanos % quantity.NANO:
        yield invalid(path, amount, "must be an integer")


def validate_resource_list(amounts: Object, path: str) -> Errors:
    """Capacity, quota or overhead: any qualified name, no negative amount."""
    for name, amount in amounts.items():
        at = f"{path}[{name}]"
        yield from text(name, at, qualified_name)
        if "/" not in name and not is_standard_resource(name) and not name.startswith(_ATTACHABLE):
            yield invalid(at, name, "must be a standard resource type or fully qualified")
        yield from resource_amount(amount, at)
