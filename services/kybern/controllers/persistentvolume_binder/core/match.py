"""Which volume suits a claim best: the smallest that is large enough, of its class and modes, and selected."""

from collections.abc import Iterable

from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.quantity import ZERO, Quantity, parse
from kybern.kube.selectors import EVERYTHING, from_label_selector

BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def storage_class(obj: Object) -> str:
    """The class of a claim or a volume; "" for none."""
    annotations = meta.annotations(obj)
    if BETA_CLASS in annotations:
        return annotations[BETA_CLASS]
    return (obj.get("spec") or {}).get("storageClassName") or ""


def requested(claim: Object) -> Quantity:
    """How much storage a claim asks for."""
    requests = (claim["spec"].get("resources") or {}).get("requests") or {}
    return parse(requests["storage"]) if "storage" in requests else ZERO


def capacity(volume: Object) -> Quantity:
    """How much a volume holds."""
    amounts = volume["spec"].get("capacity") or {}
    return parse(amounts["storage"]) if "storage" in amounts else ZERO


def mode(obj: Object) -> str:
    """Filesystem or Block."""
    return obj["spec"].get("volumeMode") or "Filesystem"


def is_for(volume: Object, claim: Object) -> bool:
    """Whether a volume's claimRef names this claim, and no other of its name."""
    ref = volume["spec"].get("claimRef") or {}
    if (ref.get("namespace"), ref.get("name")) != (meta.namespace(claim), meta.name(claim)):
        return False
    return not ref.get("uid") or ref["uid"] == meta.uid(claim)


def mismatch(volume: Object, claim: Object) -> str:
    """Why a volume that a claim names does not do; "" if it does."""
    if meta.is_deleting(volume):
        return f'the volume is marked for deletion "{meta.name(volume)}"'
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if storage_class(volume) != storage_class(claim):
        return "storageClassName does not match"
    if attributes_class(volume) != attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if mode(volume) != mode(claim):
        return "incompatible volumeMode"
    if not _offers_modes(volume, claim):
        return "incompatible accessMode"
    return ""


def attributes_class(obj: Object) -> str:
    return obj["spec"].get("volumeAttributesClassName") or ""


def find_volume(claim: Object, volumes: Iterable[Object], prebound_only: bool = False) -> Object | None:
    """The volume to bind: one that names the claim first, else the tightest fit."""
    fits = []
    for volume in volumes:
        if not _offers_modes(volume, claim) or mode(volume) != mode(claim) or meta.is_deleting(volume):
            continue
        if capacity(volume) < requested(claim):
            continue
        if volume["spec"].get("claimRef"):
            if is_for(volume, claim):
                return volume
        elif not prebound_only and _suits(volume, claim):
            fits.append(volume)
    return min(fits, key=_excess, default=None)


def _excess(volume: Object) -> tuple[int, Quantity, str]:
    """What orders volumes that fit: no more access modes than needed, then no more room."""
    return len(volume["spec"].get("accessModes") or ()), capacity(volume), meta.name(volume)


def _suits(volume: Object, claim: Object) -> bool:
    if (volume.get("status") or {}).get("phase") != "Available":
        return False
    if storage_class(volume) != storage_class(claim) or attributes_class(volume) != attributes_class(claim):
        return False
    wanted = claim["spec"].get("selector")
    return (from_label_selector(wanted) if wanted is not None else EVERYTHING).matches(meta.labels(volume))


def _offers_modes(volume: Object, claim: Object) -> bool:
    return set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ())
