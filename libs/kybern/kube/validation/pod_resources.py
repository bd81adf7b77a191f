"""Pod-level resources: cpu, memory and huge pages of all containers together."""

from kybern.kube import quantity
from kybern.kube.field import forbidden, invalid
from kybern.kube.quota import pods
from kybern.kube.validation.fields import Errors, Object, child, items
from kybern.kube.validation.resources import validate_requirements


def validate_pod_resources(spec: Object, path: str, claims: frozenset[str]) -> Errors:
    resources = spec.get("resources")
    if resources is None:
        return
    if child(spec, "os").get("name") == "windows":
        yield forbidden(path, "may not be set for a windows pod")
        return
    if resources.get("claims"):
        yield forbidden(f"{path}.claims", "claims may not be set for Resources at pod-level")
    yield from validate_requirements(resources, path, claims=claims, of_pod=True)
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
                yield invalid(f"{path}.containers[{index}][{name}].limits", amount, detail)
