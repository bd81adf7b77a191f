"""ControllerRevisions: the pod templates a DaemonSet or StatefulSet has had, numbered."""

from collections.abc import Iterable, Sequence
from typing import Any

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.names import object_hash

HASH_LABEL = "controller-revision-hash"


def template_data(owner: Object) -> Object:
    """What a revision keeps: a patch that puts the template back, members in order: clients compare the bytes."""
    found: Object = _in_order({"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}})
    return found


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(item) for item in value] if isinstance(value, list) else value


def template_of(revision: Object) -> Object:
    """The pod template that a revision keeps."""
    template: dict[str, Any] = {**revision["data"]["spec"]["template"]}
    template.pop("$patch", None)
    return template


def by_revision(revisions: Iterable[Object]) -> list[Object]:
    """Oldest first."""
    return sorted(revisions, key=lambda r: (r.get("revision", 0), meta.name(r)))


def find_equal(revisions: Sequence[Object], data: Object) -> Object | None:
    """The newest revision with the same data."""
    return next((r for r in reversed(by_revision(revisions)) if r.get("data") == data), None)


def make_revision(owner: Object, revisions: Sequence[Object], collision_count: int | None) -> Object:
    """The revision to create for the present template."""
    data = template_data(owner)
    digest = object_hash(data, collision_count)
    labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"{meta.name(owner)}-{digest}",
            "namespace": meta.namespace(owner),
            "labels": {**labels, HASH_LABEL: digest},
            "annotations": {**(owner["metadata"].get("annotations") or {})},  # the cause of the change among them
            "ownerReferences": [meta.owner_reference(owner)],
        },
        "data": data,
        "revision": max((r.get("revision", 0) for r in revisions), default=0) + 1,
    }


def surplus(revisions: Sequence[Object], live: Iterable[str], limit: int | None) -> list[Object]:
    """The oldest revisions beyond the limit that no pod is of. `live` are names of revisions in use."""
    used = {*live}
    idle = [r for r in by_revision(revisions) if meta.name(r) not in used]
    return idle[: max(0, len(idle) - (10 if limit is None else limit))]
