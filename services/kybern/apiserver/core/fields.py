"""Selectable fields: which fields of which resource a field selector may name, and where they are.

metadata.name (and metadata.namespace) are selectable on every resource. A value that is absent reads as its default.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kybern.kube.go_values import quoted

Object = dict[str, Any]
Row = tuple[str, tuple[str, ...], str]


def _rows(*entries: str) -> tuple[Row, ...]:
    """`"spec.nodeName"` or `"spec.unschedulable=false"` (with a default)."""
    rows = []
    for entry in entries:
        label, _, default = entry.partition("=")
        rows.append((label, tuple(label.split(".")), default))
    return tuple(rows)


_FIELDS: dict[tuple[str, str], tuple[Row, ...]] = {
    ("", "pods"): _rows(
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork=false", "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    ("", "nodes"): _rows("spec.unschedulable=false"),
    ("", "namespaces"): _rows("status.phase"),
    ("", "secrets"): _rows("type"),
    ("", "services"): _rows("spec.clusterIP", "spec.type"),
    ("", "replicationcontrollers"): _rows("status.replicas=0"),
    ("", "events"): (
        *_rows(
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
            "reason", "reportingComponent", "type",
        ),
        ("source", ("source", "component"), ""),
    ),
    ("apps", "replicasets"): _rows("status.replicas=0"),
    ("batch", "jobs"): (("status.successful", ("status", "succeeded"), "0"),),
    ("certificates.k8s.io", "certificatesigningrequests"): _rows("spec.signerName"),
    ("resource.k8s.io", "resourceslices"): _rows("spec.nodeName", "spec.driver"),
}  # fmt: skip

_ALIASES = {
    "events.k8s.io": {
        **{f"regarding.{name}": f"involvedObject.{name}" for name in
           ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")},
        "reportingController": "reportingComponent",
    }
}  # fmt: skip

NO_FIELDS: Mapping[str, str] = {}
_TRIGGERS = {("", "pods"): "spec.nodeName"}


def fields_reader(group: str, resource: str) -> Callable[[Object], Mapping[str, str]]:
    """A function that reads the selectable fields (beyond metadata's) of one object."""
    rows = _FIELDS.get((group, resource), ())
    if not rows:
        return lambda obj: NO_FIELDS
    if (group, resource) == ("", "events"):
        return _event_fields
    return lambda obj: {label: _read(obj, path, default) for label, path, default in rows}


def _event_fields(event: Object) -> dict[str, str]:
    """An event whose source names no component comes from its reporting controller."""
    found = {label: _read(event, path, default) for label, path, default in _FIELDS[("", "events")]}
    return {**found, "source": found["source"] or found["reportingComponent"]}


def selectable(group: str, resource: str, namespaced: bool) -> frozenset[str]:
    """The labels a field selector may use."""
    names = {label for label, _, _ in _FIELDS.get((group, resource), ())}
    own = not namespaced and (group, resource) in _FIELDS  # its own rule does not know of namespaces
    return frozenset({"metadata.name", *names} | (set() if own else {"metadata.namespace"}))


def aliases(group: str) -> Mapping[str, str]:
    """Other names that a group's own version gives to selectable fields of the storage version."""
    return _ALIASES.get(group, {})


def trigger(group: str, resource: str) -> str:
    """The field by which watchers of a resource are told apart: most pin it to one value or do not select at all."""
    return _TRIGGERS.get((group, resource), "metadata.name")


def unsupported(group: str, resource: str, kind: str, label: str) -> str:
    """Upstream's message for a field that cannot be selected."""
    if (group, resource) == ("batch", "jobs"):
        return f'field label "{label}" not supported for {kind}'
    if (group, resource) == ("resource.k8s.io", "resourceslices"):
        return f"field label not supported for resource.k8s.io/v1, Kind={kind}: {label}"
    if (group != "apps" and (group, resource) in _FIELDS) or (group, resource) == ("events.k8s.io", "events"):
        return f"field label not supported: {label}"
    return f'{quoted(label)} is not a known field selector: only "metadata.name", "metadata.namespace"'


def _read(obj: Object, path: tuple[str, ...], default: str) -> str:
    value: Any = obj
    for member in path:
        if not isinstance(value, dict):
            return default
        value = value.get(member)
    if value is None or value == "":
        return default
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
