"""PersistentVolumes and their claims, for the controllers that are about them: who is for whom, who uses what."""

from collections.abc import Iterator

from kybern.client.objects import Client
from kybern.client.resources import Resource
from kybern.kube import meta
from kybern.kube.meta import Object
from kybern.kube.status import allowing

CLAIM = "claim"  # the index of pods by the claims they name, and of volumes by the claim they are for


def claims_of_pod(pod: Object) -> Iterator[str]:
    """Keys of the claims that a pod's volumes name, or that are made for them."""
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        named = volume.get("persistentVolumeClaim")
        if named is not None:
            yield meta.join_key(meta.namespace(pod), named.get("claimName") or "")
        elif volume.get("ephemeral") is not None:
            yield meta.join_key(meta.namespace(pod), f"{meta.name(pod)}-{volume['name']}")


def by_claims_of_pod(pod: Object) -> tuple[str, ...]:
    """The index `CLAIM` of pods."""
    return tuple(claims_of_pod(pod))


def claim_of_volume(volume: Object) -> str:
    """Key of the claim that a volume is for; "" for none."""
    ref = (volume.get("spec") or {}).get("claimRef")
    return meta.join_key(ref.get("namespace") or "", ref.get("name") or "") if ref else ""


def by_claim_of_volume(volume: Object) -> tuple[str, ...]:
    """The index `CLAIM` of volumes."""
    key = claim_of_volume(volume)
    return (key,) if key else ()


async def protect(client: Client, resource: Resource, obj: Object, finalizer: str, in_use: bool) -> None:
    """Give an object its finalizer; take it from one that is being deleted and not in use. One that is gone needs none.

    Raises StatusError.
    """
    finalizers = meta.finalizers(obj)
    if meta.is_deleting(obj):
        if finalizer not in finalizers or in_use:
            return
        kept = [name for name in finalizers if name != finalizer]
    elif finalizer not in finalizers:
        kept = [*finalizers, finalizer]
    else:
        return
    with allowing(404):
        await client.update(resource, {**obj, "metadata": {**obj["metadata"], "finalizers": kept}})
