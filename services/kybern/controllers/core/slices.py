"""EndpointSlices as both controllers of them see them: whose they are, their ports as a key, what is to be written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson

from kybern.kube import meta
from kybern.kube.meta import Object

MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class SliceChanges:
    """What to write."""

    create: tuple[Object, ...] = ()
    update: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()


def service_of(slice_: Object, manager: str) -> tuple[str, ...]:
    """The key of the Service that a slice of this manager is for; nothing for slices of others."""
    labels = meta.labels(slice_)
    if labels.get(MANAGED_BY_LABEL) != manager or not labels.get(SERVICE_NAME_LABEL):
        return ()
    return (meta.join_key(meta.namespace(slice_), labels[SERVICE_NAME_LABEL]),)


def new_slice(
    owner: Object,
    family: str,
    ports: list[Object],
    endpoints: list[Object],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Object:
    """A slice that goes with its owner: a Service, or the Endpoints that it mirrors."""
    metadata: Object = {
        "generateName": f"{meta.name(owner)}-",
        "namespace": meta.namespace(owner),
        "labels": labels,
        "ownerReferences": [meta.owner_reference(owner)],
    }
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


def ports_key(ports: Iterable[Object]) -> bytes:
    """Equal for equal sets of ports."""
    keyed = [(p.get("name") or "", p.get("port"), p.get("protocol", "TCP"), p.get("appProtocol") or "") for p in ports]
    return orjson.dumps(sorted(keyed, key=str))
