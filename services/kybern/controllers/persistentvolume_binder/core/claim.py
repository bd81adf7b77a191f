"""What becomes of a claim: bound to a volume, waiting for one, or lost.

A claim whose annotations say that binding is complete and whose volume is gone, or is another's, is lost for good.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kybern.controllers.persistentvolume_binder.core.match import find_volume, is_for, mismatch, storage_class
from kybern.kube import meta
from kybern.kube.meta import Object

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
PROVISIONERS = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
NO_PROVISIONER = "kubernetes.io/no-provisioner"
NORMAL, WARNING = "Normal", "Warning"


@dataclass(frozen=True)
class Event:
    """What to tell the claim's owner."""

    kind: str
    reason: str
    message: str


@dataclass(frozen=True)
class ClaimDecision:
    """Bind to a volume, or be in a phase; `provisioner` is whom the claim waits for."""

    bind: Object | None = None
    phase: str = ""
    provisioner: str = ""
    event: Event | None = None


@dataclass(frozen=True)
class World:
    """What there is: the claim's own volume if it names one, all volumes, and the claim's class."""

    volume: Object | None
    volumes: Iterable[Object]
    storage_class: Object | None
    waiting: tuple[str, ...] = ()  # pods that use the claim and have no node yet


def decide_claim(claim: Object, world: World) -> ClaimDecision:
    """The next step for a claim."""
    if BIND_COMPLETED in meta.annotations(claim):
        return _bound(claim, world.volume)
    name = claim["spec"].get("volumeName")
    if name:
        return _named(claim, name, world.volume)
    delayed = (world.storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
    found = find_volume(claim, world.volumes, prebound_only=delayed)
    if found is not None:
        return ClaimDecision(bind=found)
    if delayed and SELECTED_NODE not in meta.annotations(claim):  # the scheduler chooses first
        return ClaimDecision(phase="Pending", event=_waits_for(world.waiting))
    return _unprovided(claim, world.storage_class)


def _waits_for(pods: tuple[str, ...]) -> Event:
    if not pods:
        return Event(NORMAL, "WaitForFirstConsumer", "waiting for first consumer to be created before binding")
    which = f"pod {pods[0]}" if len(pods) == 1 else f"pods {','.join(pods)}"
    return Event(NORMAL, "WaitForPodScheduled", f"waiting for {which} to be scheduled")


def _bound(claim: Object, volume: Object | None) -> ClaimDecision:
    if not claim["spec"].get("volumeName"):
        message = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return ClaimDecision(phase="Lost", event=Event(WARNING, "ClaimLost", message))
    if volume is None:
        message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        return ClaimDecision(phase="Lost", event=Event(WARNING, "ClaimLost", message))
    ref = volume["spec"].get("claimRef")
    if not ref or ref.get("uid") == meta.uid(claim):
        return ClaimDecision(bind=volume)
    message = "Two claims are bound to the same volume, this one is bound incorrectly"
    return ClaimDecision(phase="Lost", event=Event(WARNING, "ClaimMisbound", message))


def _named(claim: Object, name: str, volume: Object | None) -> ClaimDecision:
    """The user has chosen the volume."""
    if volume is None:
        return ClaimDecision(phase="Pending")
    if not volume["spec"].get("claimRef"):
        why = mismatch(volume, claim)
        if why:
            message = f'Cannot bind to requested volume "{name}": {why}'
            return ClaimDecision(phase="Pending", event=Event(WARNING, "VolumeMismatch", message))
        return ClaimDecision(bind=volume)
    if is_for(volume, claim):
        return ClaimDecision(bind=volume)
    message = f'volume "{name}" already bound to a different claim.'
    return ClaimDecision(phase="Pending", event=Event(WARNING, "FailedBinding", message))


def _unprovided(claim: Object, of: Object | None) -> ClaimDecision:
    name = storage_class(claim)
    if not name or (of is not None and of.get("provisioner") == NO_PROVISIONER):
        message = "no persistent volumes available for this claim and no storage class is set"
        return ClaimDecision(phase="Pending", event=Event(NORMAL, "FailedBinding", message))
    if of is None:
        message = f'storageclass.storage.k8s.io "{name}" not found'
        return ClaimDecision(phase="Pending", event=Event(WARNING, "ProvisioningFailed", message))
    provisioner = of.get("provisioner") or ""
    message = (
        f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the "
        "system administrator. If volume creation is delayed, please verify that the provisioner is running and "
        "correctly registered."
    )
    event = Event(NORMAL, "ExternalProvisioning", message)
    return ClaimDecision(phase="Pending", provisioner=provisioner, event=event)


def newest_default(classes: Iterable[Object]) -> str:
    """The class that claims without one get; "" if there is none."""
    mark = "storageclass.kubernetes.io/is-default-class"
    found = [c for c in classes if meta.annotations(c).get(mark) == "true"]
    if not found:
        return ""
    newest = max(meta.metadata(c).get("creationTimestamp") or "" for c in found)
    return min(meta.name(c) for c in found if (meta.metadata(c).get("creationTimestamp") or "") == newest)


def bound_claim(claim: Object, volume: Object) -> Object | None:
    """The claim as it names its volume; None if it does already."""
    annotations = meta.annotations(claim)
    added = {BIND_COMPLETED: "yes"}
    if not claim["spec"].get("volumeName"):
        added[BOUND_BY_CONTROLLER] = "yes"
    spec = {**claim["spec"], "volumeName": meta.name(volume)}
    if spec == claim["spec"] and BIND_COMPLETED in annotations:
        return None
    return {**claim, "metadata": {**claim["metadata"], "annotations": {**annotations, **added}}, "spec": spec}


def bound_status(claim: Object, volume: Object) -> Object | None:
    """A bound claim's status; None if it has it. A claim that grew keeps the capacity that it was told."""
    status = claim.get("status") or {}
    wanted = {**status, "phase": "Bound", "accessModes": volume["spec"].get("accessModes") or []}
    if status.get("phase") != "Bound" or "capacity" not in status:
        wanted["capacity"] = volume["spec"].get("capacity") or {}
    attributes = volume["spec"].get("volumeAttributesClassName")
    if attributes and status.get("phase") != "Bound":
        wanted["currentVolumeAttributesClassName"] = attributes
    return None if wanted == status else wanted


def waiting_claim(claim: Object, provisioner: str) -> Object | None:
    """The claim as it tells a provisioner that it is wanted; None if it does."""
    annotations = meta.annotations(claim)
    wanted = {**annotations, **dict.fromkeys(PROVISIONERS, provisioner)}
    if wanted == annotations:
        return None
    return {**claim, "metadata": {**claim["metadata"], "annotations": wanted}}
