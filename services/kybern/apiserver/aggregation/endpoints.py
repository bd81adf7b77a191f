"""From a Service to a ready endpoint, by EndpointSlices: for services/proxy and for extension API servers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.selection import Selection
from kybern.kube import selectors

Object = dict[str, Any]
SERVICE_NAME = "kubernetes.io/service-name"
SLICES = ("discovery.k8s.io", "endpointslices")


@dataclass(frozen=True)
class Endpoint:
    """One ready address of a Service, at one of its ports; `pod` is the name of the pod behind it, or ""."""

    address: str
    port: int
    pod: str


def slices(cachers: Callable[[str, str], Cacher], namespace: str, name: str) -> list[Object]:
    """The slices of a Service."""
    selection = Selection(namespace, labels=selectors.from_labels({SERVICE_NAME: name}))
    return [entry.decode() for entry in cachers(*SLICES).select(selection)]


def ready(found: list[Object], port_name: str) -> Iterator[Endpoint]:
    """The ready endpoints that have a port of this name."""
    for one in found:
        numbers = [port["port"] for port in one.get("ports") or () if (port.get("name") or "") == port_name]
        for endpoint in one.get("endpoints") or () if numbers and numbers[0] else ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            target = endpoint.get("targetRef") or {}
            pod = target.get("name", "") if target.get("kind") == "Pod" else ""
            yield from (Endpoint(address, int(numbers[0]), pod) for address in endpoint.get("addresses") or ())
