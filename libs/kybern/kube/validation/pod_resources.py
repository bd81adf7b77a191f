"""Pod-level resources: cpu, memory and huge pages of all containers together."""

from kybern.kube import quantity
from kybern.kube.field import forbidden, invalid, not_supported
from kybern.kube.quota import pods
from kybern.kube.validation.fields import Errors, Object, child, items
from kybern.kube.validation.resources import validate_requirements

_SUPPORTED = ("cpu", "hugepages-", "memory")


def validate_pod_resources(spec: Object, path: str) -> Errors:
    resources = spec.get("resources")
    if resources is None:
        return
    if resources.get("claims"):
        yield forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level")
    for side in ("limits", "requests"):
        for name in child(resources, side):
            if name not in ("cpu", "memory") and not name.startswith("hugepages-"):
                yield not_supported(f"{path}.{side}[{name}]", name, _SUPPORTED)
    yield from validate_requirements(resources, path)
    yield from _covers_containers(spec, resources, path)


def _covers_containers(spec: Object, resources: Object, path: str) -> Errors:
    requests, limits = child(resources, "requests"), child(resources, "limits")
    together = pods.pod_amounts({"spec": {**spec, "resources": None}}, "requests", overhead=False)
    for name, amount in requests.items():
        asked = together.get(name)
        if asked is not None and asked > quantity.parse(amount):
            detail = f"must be greater than or equal to aggregate container requests of {asked}"
            yield invalid(f"{path}.requests[{name}]", amount, detail)
    for index, container in enumerate(items(spec, "containers")):
        for name, amount in child(child(container, "resources"), "limits").items():
            if name in limits and quantity.parse(amount) > quantity.parse(limits[name]):
                detail = f"must be less than or equal to pod limits of {limits[name]}"
                at = path.removesuffix("resources") + f"containers[{index}].resources.limits[{name}]"
                yield invalid(at, amount, detail)
