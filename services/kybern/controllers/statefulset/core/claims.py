"""What becomes of the claims of a StatefulSet's pods (persistentVolumeClaimRetentionPolicy).

    whenDeleted: Delete    they go with the set
    whenScaled: Delete     they go with a pod that the set does not want any more
    Retain (the default)   they outlive both

Deleting is the garbage collector's: a claim that is to go has what it goes with as its owner.
"""

from kybern.controllers.statefulset.core.identity import claim_name, claim_templates, first_ordinal, replicas
from kybern.kube import meta
from kybern.kube.meta import Object


def deletes(stateful_set: Object, when: str) -> bool:
    """Whether claims are deleted `whenDeleted` or `whenScaled`."""
    policy: Object = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return bool(policy.get(when) == "Delete")


def owner(stateful_set: Object, pod: Object | None, ordinal: int) -> Object | None:
    """With what a claim of this ordinal goes; None if with nothing. The pod may not be made yet."""
    first = first_ordinal(stateful_set)
    wanted = first <= ordinal < first + replicas(stateful_set)
    if not wanted and pod is not None and deletes(stateful_set, "whenScaled"):
        return pod
    return stateful_set if deletes(stateful_set, "whenDeleted") else None


def claim_keys(stateful_set: Object, ordinal: int) -> list[str]:
    """The claims of an ordinal."""
    names = (claim_name(stateful_set, template, ordinal) for template in claim_templates(stateful_set))
    return [meta.join_key(meta.namespace(stateful_set), name) for name in names]


def with_owner(claim: Object, stateful_set: Object, pod: Object | None, ordinal: int) -> Object | None:
    """The claim as it names its owner; None if it is right, or belongs to somebody else."""
    set_name = meta.name(stateful_set)
    ours = {("StatefulSet", set_name), ("Pod", f"{set_name}-{ordinal}")}
    refs = meta.owner_references(claim)
    others = [ref for ref in refs if (ref.get("kind"), ref.get("name")) not in ours]
    if any(ref.get("controller") for ref in others):
        return None
    of = owner(stateful_set, pod, ordinal)
    wanted = [*others, *([meta.owner_reference(of)] if of is not None else [])]
    return None if wanted == refs else {**claim, "metadata": {**claim["metadata"], "ownerReferences": wanted}}
