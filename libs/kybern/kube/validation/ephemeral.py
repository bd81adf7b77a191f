"""Ephemeral containers: containers without what only containers that are there from the start can have."""

from kybern.kube.field import duplicate, forbidden, not_found
from kybern.kube.validation.container import Surroundings, validate_container
from kybern.kube.validation.fields import Errors, Object, items

_NEVER = (
    "ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "livenessProbe", "readinessProbe",
    "startupProbe", "lifecycle",
)  # fmt: skip
_NOT = "cannot be set for an Ephemeral Container"


def validate_ephemeral_containers(spec: Object, pod: Surroundings, path: str) -> Errors:
    ordinary = {c.get("name") for name in ("containers", "initContainers") for c in items(spec, name)}
    names = set(ordinary)
    for index, container in enumerate(items(spec, "ephemeralContainers")):
        at, name = f"{path}[{index}]", container.get("name") or ""
        yield from validate_container(container, pod, at)
        if name in names:
            yield duplicate(f"{at}.name", name)
        names.add(name)
        target = container.get("targetContainerName")
        if target and target not in ordinary:
            yield not_found(f"{at}.targetContainerName", target)
        for field in _NEVER:
            if container.get(field):
                yield forbidden(f"{at}.{field}", _NOT)
        for position, mount in enumerate(items(container, "volumeMounts")):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    yield forbidden(f"{at}.volumeMounts[{position}].{field}", _NOT)
