"""From watch events to the zone."""

from typing import Any

from kybern.client.informer import EventHandler, SharedInformer, each
from kybern.dns.core.zone import Zone
from kybern.kube import meta
from kybern.kube.meta import Object

_SERVICE_SPEC = ("type", "clusterIP", "clusterIPs", "externalName", "ports")
_METADATA = ("name", "namespace", "uid", "resourceVersion")


def slim_service(service: Object) -> Object:
    return {"metadata": _members(service["metadata"], _METADATA), "spec": _members(service["spec"], _SERVICE_SPEC)}


def slim_slice(slice_: Object) -> Object:
    endpoints = [_members(e, ("addresses", "hostname", "conditions")) for e in slice_.get("endpoints") or ()]
    metadata = _members(slice_["metadata"], (*_METADATA, "labels"))
    return {**_members(slice_, ("addressType", "ports")), "metadata": metadata, "endpoints": endpoints}


def slim_pod(pod: Object) -> Object:
    status = _members(pod.get("status") or {}, ("phase", "podIP", "podIPs"))
    return {"metadata": _members(pod["metadata"], _METADATA), "status": status}


def slim_namespace(namespace: Object) -> Object:
    return {"metadata": _members(namespace["metadata"], _METADATA)}


def _members(obj: Any, names: tuple[str, ...]) -> Object:
    return {name: obj[name] for name in names if name in obj}


def watch_services(informer: SharedInformer, zone: Zone) -> None:
    informer.add_handler(
        EventHandler(
            zone.set_service,
            lambda old, new: zone.set_service(new),
            lambda obj, unknown: zone.remove_service(meta.key(obj)),
        )
    )


def watch_slices(informer: SharedInformer, zone: Zone) -> None:
    informer.add_handler(
        EventHandler(zone.set_slice, lambda old, new: zone.set_slice(new), lambda obj, unknown: zone.remove_slice(obj))
    )


def watch_namespaces(informer: SharedInformer, zone: Zone) -> None:
    informer.add_handler(each(lambda obj: zone.set_namespaces(informer.store.keys())))


def watch_pods(informer: SharedInformer, zone: Zone) -> None:
    informer.add_handler(
        EventHandler(
            zone.set_pod, lambda old, new: zone.set_pod(new), lambda obj, unknown: zone.remove_pod(meta.uid(obj))
        )
    )
