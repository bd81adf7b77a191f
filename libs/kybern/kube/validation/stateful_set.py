"""Validation of StatefulSets."""

from kybern.kube.field import Struct, forbidden, invalid, required
from kybern.kube.go_struct import go_struct, same_struct
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    items,
    non_negative,
    one_of,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import matches_nothing, validate_selector
from kybern.kube.validation.names import dns1123_label, min_error
from kybern.kube.validation.persistent_volume_claim import validate_claim_spec
from kybern.kube.validation.pod import validate_template, validate_template_metadata
from kybern.kube.validation.workloads import always_restarts, matching, shown_selector


def validate_stateful_set(obj: Object) -> Errors:
    return _validate(child(obj, "spec"))


def validate_new_stateful_set(obj: Object) -> Errors:
    """With what old objects are not held to."""
    return _validate(child(obj, "spec"), new=True)


def _validate(spec: Object, *, new: bool = False) -> Errors:
    policy = spec.get("podManagementPolicy")
    if not policy:
        yield required("spec.podManagementPolicy")
    elif policy not in ("OrderedReady", "Parallel"):
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")
    strategy = child(spec, "updateStrategy")
    yield from _stateful_strategy(strategy, "spec.updateStrategy")
    retention, path = child(spec, "persistentVolumeClaimRetentionPolicy"), "spec.persistentVolumeClaimRetentionPolicy"
    for name in ("whenDeleted", "whenScaled"):
        yield from one_of(retention, name, path, ("Retain", "Delete"), in_order=True)
    if new:
        for index, claim in enumerate(items(spec, "volumeClaimTemplates")):
            yield from validate_claim_spec(child(claim, "spec"), f"spec.volumeClaimTemplates[{index}].spec")
    yield from non_negative(spec, "replicas", "spec")
    if new and spec.get("serviceName"):
        yield from text(spec["serviceName"], "spec.serviceName", dns1123_label)
    yield from non_negative(spec, "minReadySeconds", "spec")
    start = child(spec, "ordinals").get("start")
    if start is not None and start < 0:
        yield invalid("spec.ordinals.start", start, min_error(0))
    yield from _stateful_template(spec)


def _stateful_template(spec: Object) -> Errors:
    """The template is looked at as its pods will be: with the volumes of the claim templates."""
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    else:
        yield from validate_selector(selector, "spec.selector")
        if matches_nothing(selector):
            yield invalid("spec.selector", selector, "empty selector is invalid for statefulset")
    problems = [*validate_selector(selector, "spec.selector")]
    if problems:
        yield invalid("spec.selector", shown_selector(selector), "")
        return
    yield from matching(selector, spec)
    template = child(spec, "template")
    pod = child(template, "spec")
    names = (child(claim, "metadata").get("name") or "" for claim in items(spec, "volumeClaimTemplates"))
    claims = list(dict.fromkeys(names))
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    kept = [volume for volume in items(pod, "volumes") if volume.get("name") not in claims]
    seen = {**pod, "volumes": [*volumes, *kept], "hostname": "", "subdomain": ""}  # each pod has names of its own
    yield from validate_template({**template, "spec": seen}, "spec.template")
    yield from validate_template_metadata(template, "spec.template")  # told a second time
    yield from always_restarts(template, "StatefulSet")


def _stateful_strategy(strategy: Object, path: str) -> Errors:
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    shown = rolling and Struct(Partition=rolling.get("partition", 0), MaxUnavailable=rolling.get("maxUnavailable"))
    if not kind:
        yield required(path)
    elif kind == "OnDelete":
        if rolling is not None:
            yield invalid(f"{path}.rollingUpdate", shown, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate":
        partition = (rolling or {}).get("partition")
        if partition is not None and partition < 0:
            yield invalid(f"{path}.rollingUpdate.partition", partition, min_error(0))
    else:
        detail = "must be 'RollingUpdate' or 'OnDelete'"
        yield invalid(path, Struct(Type=kind, RollingUpdate=shown), detail)


_STATEFUL_SPEC = "k8s.io.api.apps.v1.StatefulSetSpec"


_STATEFUL_UPDATABLE = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


_STATEFUL_FIELDS = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


def validate_stateful_set_update(obj: Object, old: Object) -> Errors:
    def fixed(spec: Object) -> Object:
        return {name: value for name, value in spec.items() if name not in _STATEFUL_FIELDS}

    new, before = fixed(child(obj, "spec")), fixed(child(old, "spec"))
    if new != before and not same_struct(go_struct(_STATEFUL_SPEC, new), go_struct(_STATEFUL_SPEC, before)):
        yield forbidden("spec", _STATEFUL_UPDATABLE)
