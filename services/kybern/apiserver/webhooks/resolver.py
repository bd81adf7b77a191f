"""Resolver: from a Service to the address of a ready endpoint, without a cluster IP in between.

Endpoints are taken in turn. Services and EndpointSlices are read from the caches.
"""

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from kybern.apiserver.aggregation.endpoints import SLICES, slices
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.webhooks.target import ServiceReference

Object = dict[str, Any]
Address = tuple[str, int]


class NoEndpoint(Exception):
    """Why a Service cannot be called."""


class Resolver:
    """See the module's docstring."""

    def __init__(self, cachers: Callable[[str, str], Cacher]) -> None:
        self._cachers = cachers
        self._turns = count()
        self._known: dict[ServiceReference, list[Address]] = {}
        self._seen = (0, 0)

    def resolve(self, asked: ServiceReference) -> Address:
        """An address of the Service's port. Raises NoEndpoint."""
        services = self._cachers("", "services")
        seen = (services.changed, self._cachers(*SLICES).changed)
        if seen != self._seen:
            self._known.clear()
            self._seen = seen
        addresses = self._known.get(asked)
        if addresses is None:
            entry = services.get(asked.namespace, asked.name)
            if entry is None:
                raise NoEndpoint(f'service "{asked.name}" not found')
            found = slices(self._cachers, asked.namespace, asked.name)
            addresses = self._known[asked] = endpoints_of(entry.decode(), found, asked.port)
        return addresses[next(self._turns) % len(addresses)]


def endpoints_of(service: Object, slices: Iterable[Object], port: int) -> list[Address]:
    """Where a Service's port is served now, never empty. Raises NoEndpoint."""
    spec, name = service.get("spec") or {}, service["metadata"]["name"]
    if spec.get("type") == "ExternalName":
        return [(spec.get("externalName") or "", port)]
    wanted = next((one for one in spec.get("ports") or () if one.get("port") == port), None)
    if wanted is None:
        raise NoEndpoint(f'no service port {port} found for service "{name}"')
    preferred = next(iter(spec.get("ipFamilies") or ()), "")
    found: list[Address] = []
    for one in sorted(slices, key=lambda one: one.get("addressType") != preferred):
        if found and preferred and one.get("addressType") != preferred:
            break  # of the other family only where the first has none
        number = _number(one, wanted.get("name") or "")
        if number is None:
            continue
        for endpoint in one.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                found += ((address, number) for address in (endpoint.get("addresses") or ())[:1])
    if not found:
        raise NoEndpoint(f'no endpoints available for service "{name}"')
    return sorted(set(found))


def _number(endpoint_slice: Object, name: str) -> int | None:
    """The target port of a port's name in a slice: the slice has target ports by number already."""
    for port in endpoint_slice.get("ports") or ():
        if (port.get("name") or "") == name:
            number: int | None = port.get("port")
            return number
    return None
