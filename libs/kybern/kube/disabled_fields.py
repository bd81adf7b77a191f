"""Disabled fields: what the API server drops because the feature gate behind it is off by default in 1.36.

The schema knows these fields, so they decode without a warning, but nothing acts on them. On create they go; on update
they go unless the old object uses them already, so that nothing is lost that a server with the gate on has stored. A
row is one gate with the fields that stay or go together. Gates that only loosen validation have no row, nor have kinds
that are not served by default.

A path names members with dots, `[]` goes through a list and `{}` through the values of a map.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Object = dict[str, Any]
Path = tuple[str, ...]
ITEMS, VALUES = "[]", "{}"


@dataclass(frozen=True)
class Disabled:
    """Fields of one gate."""

    gate: str
    paths: tuple[str, ...]
    where: str = ""  # only values with this member are dropped
    emptied: bool = False  # what holds the field goes, too, when nothing else is in it

    @cached_property
    def steps(self) -> tuple[Path, ...]:
        return tuple(steps(path) for path in self.paths)

    def in_use(self, obj: Object) -> bool:
        """Whether an object has any of the fields."""
        return any(_has(obj, path) for path in self.steps)


def steps(path: str) -> Path:
    """`spec.containers[].lifecycle` as ("spec", "containers", "[]", "lifecycle")."""
    return tuple(path.replace(ITEMS, f".{ITEMS}").replace(VALUES, f".{VALUES}").split("."))


def _of_pod_spec(spec: str) -> tuple[Disabled, ...]:
    """What a pod's spec loses, wherever it is."""
    sources = f"{spec}.volumes[].projected.sources[]"
    containers = tuple(f"{spec}.{name}[]" for name in ("containers", "initContainers", "ephemeralContainers"))
    return (
        Disabled("ClusterTrustBundleProjection", (f"{sources}.clusterTrustBundle",)),
        Disabled("PodCertificateRequest", (f"{sources}.podCertificate",)),
        Disabled("GenericWorkload", (f"{spec}.schedulingGroup",)),
        Disabled("ContainerStopSignals", tuple(f"{one}.lifecycle.stopSignal" for one in containers), emptied=True),
    )


_MOUNTS = tuple(
    f"status.{name}[].volumeMounts[]"
    for name in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
)
_ATTRIBUTES = "spec.devices[].attributes{}"

# By the group and kind that is stored.
DISABLED: dict[tuple[str, str], tuple[Disabled, ...]] = {
    ("", "PersistentVolumeClaim"): (
        Disabled("CrossNamespaceVolumeDataSource", ("spec.dataSourceRef",), where="namespace"),
    ),
    ("", "Pod"): (
        *_of_pod_spec("spec"),
        Disabled("ImageVolumeWithDigest", tuple(f"{mount}.volumeStatus" for mount in _MOUNTS)),
        Disabled("DRANodeAllocatableResources", ("status.nodeAllocatableResourceClaimStatuses",)),
    ),
    ("", "PodTemplate"): _of_pod_spec("template.spec"),
    ("", "ReplicationController"): _of_pod_spec("spec.template.spec"),
    ("apps", "DaemonSet"): _of_pod_spec("spec.template.spec"),
    ("apps", "Deployment"): _of_pod_spec("spec.template.spec"),
    ("apps", "ReplicaSet"): _of_pod_spec("spec.template.spec"),
    ("apps", "StatefulSet"): (
        Disabled("MaxUnavailableStatefulSet", ("spec.updateStrategy.rollingUpdate.maxUnavailable",)),
        *_of_pod_spec("spec.template.spec"),
    ),
    ("batch", "CronJob"): _of_pod_spec("spec.jobTemplate.spec.template.spec"),
    ("batch", "Job"): _of_pod_spec("spec.template.spec"),
    ("coordination.k8s.io", "Lease"): (
        Disabled("CoordinatedLeaderElection", ("spec.strategy",)),
        Disabled("CoordinatedLeaderElection", ("spec.preferredHolder",)),
    ),
    ("resource.k8s.io", "ResourceSlice"): (
        Disabled("DRANodeAllocatableResources", ("spec.devices[].nodeAllocatableResourceMappings",)),
        Disabled(
            "DRAListTypeAttributes",
            tuple(f"{_ATTRIBUTES}.{name}" for name in ("bools", "ints", "strings", "versions")),
        ),
    ),
    ("storage.k8s.io", "CSIDriver"): (Disabled("VolumeLimitScaling", ("spec.preventPodSchedulingIfMissing",)),),
}

# Endpoints through which the fields outside of status can be set.
_WHOLE = ("", "ephemeralcontainers", "resize")


def by_subresource(group: str, kind: str) -> dict[str, tuple[Disabled, ...]]:
    """The rows that a write to each endpoint of a kind is for; empty for most kinds."""
    rows = DISABLED.get((group, kind), ())
    status = tuple(row for row in rows if row.steps[0][0] == "status")
    rest = tuple(row for row in rows if row not in status)
    return {**(dict.fromkeys(_WHOLE, rest) if rest else {}), **({"status": status} if status else {})}


def drop_disabled(rows: Iterable[Disabled], new: Object, old: Object | None) -> None:
    """Take the fields of `rows` from an object unless the old one uses them. What changes below the top is copied."""
    for row in rows:
        for path in row.steps:
            if not _has(new, path):
                continue
            if old is not None and row.in_use(old):
                break
            new[path[0]] = _without(new[path[0]], path[1:], row)


def _has(value: Any, path: Path, at: int = 0) -> bool:
    for place in range(at, len(path)):
        step = path[place]
        if step in (ITEMS, VALUES):
            return any(_has(one, path, place + 1) for one in _elements(value, step))
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return value is not None and value != []


def _elements(value: Any, step: str) -> Collection[Any]:
    if step == ITEMS:
        return value if isinstance(value, list) else ()
    return value.values() if isinstance(value, dict) else ()


def _without(value: Any, path: Path, row: Disabled) -> Any:
    """The value itself if it has no such field, else a copy without."""
    step, rest = path[0], path[1:]
    if step in (ITEMS, VALUES):
        elements = _elements(value, step)
        made = [_without(one, rest, row) for one in elements]
        if all(one is had for one, had in zip(made, elements, strict=True)):
            return value
        return made if step == ITEMS else dict(zip(value, made, strict=True))
    if not isinstance(value, dict) or step not in value:
        return value
    had = value[step]
    if rest:
        inner = _without(had, rest, row)
        if inner is had:
            return value
        if inner or not row.emptied or len(rest) > 1:
            return {**value, step: inner}
    elif row.where and not (isinstance(had, dict) and had.get(row.where)):
        return value
    return {name: member for name, member in value.items() if name != step}
