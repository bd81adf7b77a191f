"""What Services hold of addresses and node ports, as the store says: the allocators in memory follow it.

They are filled from the Services at a start (`adopt`). Several apiservers on one store follow each other (`follow`).
"""

from typing import Any

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategies import claims
from kybern.apiserver.registry.strategy import Object
from kybern.apiserver.storage.entry import CacheEvent


def free_unused(request: Request, before: Object, after: Object) -> None:
    """What an update does not use any more."""
    had, has = claims.used(before), claims.used(after)
    for address in had[0] - has[0]:
        request.server.addresses.release(address)
    for protocol, port in had[1] - has[1]:
        request.server.node_ports.release(protocol, port)


def released(request: Request, service: Object) -> None:
    """A Service is gone."""
    free_unused(request, service.get("spec") or {}, {})


def adopt(server: Any, service: Object) -> None:
    """A Service that is stored has what it has."""
    addresses, ports = claims.used(service.get("spec") or {})
    server.addresses.taken |= addresses
    server.node_ports.taken |= ports


def follow(server: Any, event: CacheEvent) -> None:
    """What another apiserver on the same store has taken or given back."""
    if event.prev is not None:
        addresses, ports = claims.used(event.prev.decode().get("spec") or {})
        server.addresses.taken -= addresses
        server.node_ports.taken -= ports
    if not event.deleted:
        adopt(server, event.entry.decode())


def follow_addresses(server: Any, event: CacheEvent) -> None:
    """An IPAddress takes its address, whoever made it; without it that is free, unless a Service still has it."""
    address = event.entry.name
    if not event.deleted:
        server.addresses.taken.add(address)
        return
    parent = (event.entry.decode().get("spec") or {}).get("parentRef") or {}
    service = server.table.cacher("", "services").get(parent.get("namespace") or "", parent.get("name") or "")
    if service is None or address not in claims.used(service.decode().get("spec") or {})[0]:
        server.addresses.release(address)


def follow_ranges(server: Any) -> None:
    """Ranges come and go with the ServiceCIDRs."""
    cacher = server.table.cacher("networking.k8s.io", "servicecidrs")

    def configure(event: CacheEvent | None = None) -> None:
        server.addresses.configure([entry.decode() for entry in cacher.entries.values()])

    cacher.listeners.append(configure)
    configure()
