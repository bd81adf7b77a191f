"""What becomes of a volume: available, bound, or released when the claim it was for is gone."""

from dataclasses import dataclass

from kybern.controllers.persistentvolume_binder.core.claim import BOUND_BY_CONTROLLER
from kybern.kube import meta
from kybern.kube.meta import Object

PROVISIONED_BY, MIGRATED_TO = "pv.kubernetes.io/provisioned-by", "pv.kubernetes.io/migrated-to"


@dataclass(frozen=True)
class VolumeDecision:
    """The phase ("" leaves it), and why; `unbind` if the volume is to forget its claim."""

    phase: str = ""
    message: str = ""
    unbind: bool = False


def decide_volume(volume: Object, claim: Object | None) -> VolumeDecision:
    """The next step for a volume. `claim`: the one that its claimRef names, if it is there."""
    ref = volume["spec"].get("claimRef")
    if not ref or not ref.get("uid"):
        return VolumeDecision("Available")
    if claim is not None and meta.uid(claim) != ref["uid"]:
        claim = None  # deleted, and another made under its name
    if claim is None:
        return _released(volume)
    name = claim["spec"].get("volumeName")
    if name == meta.name(volume):
        return VolumeDecision("Bound")
    if not name:
        return VolumeDecision()  # the claim's turn
    if PROVISIONED_BY in meta.annotations(volume) and _policy(volume) == "Delete":
        return _released(volume)
    return VolumeDecision(unbind=True)


def _released(volume: Object) -> VolumeDecision:
    """Kept for its data, or left to its provisioner to delete; nobody else here can."""
    if (volume.get("status") or {}).get("phase") == "Failed":
        return VolumeDecision()
    external = volume["spec"].get("csi") is not None or {PROVISIONED_BY, MIGRATED_TO} & meta.annotations(volume).keys()
    if _policy(volume) == "Retain" or external:
        return VolumeDecision("Released")
    what = "deletable" if _policy(volume) == "Delete" else "recyclable"
    which = "deleter" if _policy(volume) == "Delete" else "recycler"
    return VolumeDecision(
        "Failed",
        f'error getting {which} volume plugin for volume "{meta.name(volume)}": no {what} volume plugin matched',
    )


def _policy(volume: Object) -> str:
    return volume["spec"].get("persistentVolumeReclaimPolicy") or "Retain"


def bound_volume(volume: Object, claim: Object) -> Object | None:
    """The volume as it names its claim; None if it does already."""
    ref = volume["spec"].get("claimRef")
    if ref and ref.get("uid") == meta.uid(claim):
        return None
    annotations = dict(meta.annotations(volume))
    if not ref:
        annotations[BOUND_BY_CONTROLLER] = "yes"
    names = {
        "kind": "PersistentVolumeClaim",
        "namespace": meta.namespace(claim),
        "name": meta.name(claim),
        "uid": meta.uid(claim),
        "apiVersion": "v1",
        "resourceVersion": meta.resource_version(claim),
    }
    metadata = {**volume["metadata"], "annotations": annotations}
    return {**volume, "metadata": metadata, "spec": {**volume["spec"], "claimRef": names}}


def unbound_volume(volume: Object) -> Object:
    """The volume without its claim; a user's choice of claim stays, by name."""
    spec, annotations = dict(volume["spec"]), dict(meta.annotations(volume))
    if annotations.pop(BOUND_BY_CONTROLLER, None) is not None:
        del spec["claimRef"]
    else:
        spec["claimRef"] = {k: v for k, v in spec["claimRef"].items() if k not in ("uid", "resourceVersion")}
    return {**volume, "metadata": {**volume["metadata"], "annotations": annotations}, "spec": spec}


def phase_status(volume: Object, phase: str, message: str, now: str) -> Object | None:
    """The status in a phase; None if the volume is in it."""
    status = volume.get("status") or {}
    if status.get("phase") == phase and (status.get("message") or "") == message:
        return None
    wanted = {member: value for member, value in status.items() if member not in ("message", "reason")}
    wanted["phase"] = phase
    if message:
        wanted["message"] = message
    if status.get("phase") != phase:
        wanted["lastPhaseTransitionTime"] = now
    return wanted
