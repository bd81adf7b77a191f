"""Namespace: its phase is that of its deletion, and the finalizers of its spec have names."""

from kybern.kube.field import invalid
from kybern.kube.validation.fields import Errors, Object, child, items
from kybern.kube.validation.metadata import validate_finalizer_name


def validate_namespace_status(obj: Object, old: Object) -> Errors:
    phase = child(obj, "status").get("phase") or "Active"
    if not child(obj, "metadata").get("deletionTimestamp"):
        if phase != "Active":
            yield invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")
    elif phase != "Terminating":
        yield invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")


def validate_namespace_finalize(obj: Object, old: Object) -> Errors:
    for index, name in enumerate(items(child(obj, "spec"), "finalizers")):
        yield from validate_finalizer_name(name, f"spec.finalizers[{index}]")
