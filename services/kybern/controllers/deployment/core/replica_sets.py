"""The new ReplicaSet of a Deployment: its making, its revision, and the annotations it takes over."""

from collections.abc import Iterable

from kybern.controllers.core.pods import POD_TEMPLATE_HASH
from kybern.controllers.deployment.core.model import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    is_rolling_update,
    max_surge,
    revision,
    spec_replicas,
)
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.names import pod_template_hash

MAX_HISTORY_LENGTH = 2000
NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
}


def next_revision(old: Iterable[Object]) -> int:
    """One more than any old ReplicaSet has."""
    return max((revision(rs) for rs in old), default=0) + 1


def new_replicas(deployment: Object, replica_sets: Iterable[Object], current: int) -> int:
    """How large the new ReplicaSet, now of `current` replicas, may be.

    RollingUpdate: as large as maxSurge leaves room for beside all others. Recreate: all at once.
    """
    wanted = spec_replicas(deployment)
    if not is_rolling_update(deployment):
        return wanted
    pods = sum(spec_replicas(rs) for rs in replica_sets)
    most = wanted + max_surge(deployment)
    if pods >= most:
        return current
    return current + min(most - pods, wanted - current)


def make_replica_set(deployment: Object, old: list[Object]) -> Object:
    """The ReplicaSet to create for the present template."""
    template = deployment["spec"]["template"]
    template_metadata: Object = template.get("metadata") or {}
    collisions = (deployment.get("status") or {}).get("collisionCount")
    digest = pod_template_hash(template, collisions)
    labels = {**(template_metadata.get("labels") or {}), POD_TEMPLATE_HASH: digest}
    selector: Object = deployment["spec"].get("selector") or {}
    replicas = new_replicas(deployment, old, 0)
    annotations = replicas_annotations(deployment, copied_annotations(deployment, {}))
    annotations[REVISION] = str(next_revision(old))
    spec: Object = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: digest}},
        "template": {**template, "metadata": {**template_metadata, "labels": labels}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta.name(deployment)}-{digest}",
            "namespace": meta.namespace(deployment),
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [meta.owner_reference(deployment)],
        },
        "spec": spec,
    }


def copied_annotations(deployment: Object, annotations: dict[str, str]) -> dict[str, str]:
    """A ReplicaSet's annotations with the Deployment's laid over them."""
    copied = {key: value for key, value in meta.annotations(deployment).items() if key not in NOT_COPIED}
    return {**annotations, **copied}


def replicas_annotations(deployment: Object, annotations: dict[str, str]) -> dict[str, str]:
    """Annotations with the size of the whole Deployment, which proportional scaling looks at later."""
    wanted = spec_replicas(deployment)
    return {**annotations, DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(wanted + max_surge(deployment))}


def refreshed_annotations(deployment: Object, new: Object, old: Iterable[Object]) -> dict[str, str]:
    """The annotations of an existing new ReplicaSet: the Deployment's, and a revision above all others.

    A rollback is nothing else: an old ReplicaSet becomes the new one, and the revision it had moves into its history.
    """
    annotations = copied_annotations(deployment, meta.annotations(new))
    wanted = next_revision(old)
    had = revision(new)
    if had < wanted:
        annotations[REVISION] = str(wanted)
        if REVISION in meta.annotations(new):
            annotations[REVISION_HISTORY] = _history(annotations.get(REVISION_HISTORY, ""), str(had))
    return annotations


def _history(history: str, had: str) -> str:
    revisions = [*(history.split(",") if history else ()), had]
    while len(",".join(revisions)) > MAX_HISTORY_LENGTH and len(revisions) > 1:
        revisions.pop(0)
    return ",".join(revisions)
