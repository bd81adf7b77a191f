"""Bootstrap: bring a store, new or old, to the state every cluster starts from. Runs before the server is ready."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from kybern.apiserver.bootstrap import objects
from kybern.apiserver.bootstrap.rbac import GROUP, bootstrap_objects, reconciled
from kybern.apiserver.core import api_services
from kybern.apiserver.core.flowcontrol.configuration import maintained
from kybern.apiserver.core.service_addresses import flag_ranges
from kybern.apiserver.core.user import APISERVER
from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.delete import DeleteOptions, delete
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.apiserver.server import ApiServer
from kybern.kube.defaults import apply_defaults
from kybern.kube.status import StatusError
from kybern.pki.source import parse_bundle
from kybern.store.errors import StoreError

Object = dict[str, Any]
Reconcile = Callable[[Object, Object], Object | None]
Row = tuple[str, str, Object, Reconcile | None]  # group, resource, object
KEEP_EVERY = 10.0  # seconds


async def bootstrap(server: ApiServer, ca: str = "") -> None:
    """Make what is missing; add to RBAC what is missing there; point `kubernetes` at this server."""
    await _all(server, [("", "namespaces", namespace, None) for namespace in objects.namespaces()])
    rows: list[Row] = [(GROUP, resource, obj, reconciled) for resource, obj in bootstrap_objects()]
    rows += [(group, resource, obj, None) for group, resource, obj in objects.fixed()]
    rows += [(group, resource, obj, maintained) for group, resource, obj in objects.flow_objects()]
    rows.append(("", "serviceaccounts", objects.default_account(), None))
    rows += service_rows(server)
    rows += [(api_services.GROUP, api_services.RESOURCE, one, None) for one in server.aggregator.locals().values()]
    if ca:
        proxy_client = server.settings.proxy_client
        proxy_ca = parse_bundle(proxy_client.read_bytes()).ca.decode() if proxy_client is not None else ""
        rows.append(("", "configmaps", objects.authentication_config(ca, proxy_ca), _data))
    await _all(server, rows)


def service_rows(server: ApiServer) -> list[Row]:
    """The Service `kubernetes`, and where its address comes from."""
    cidr = objects.service_cidr(flag_ranges(server.settings.service_cidr))
    rows: list[Row] = [("networking.k8s.io", "servicecidrs", cidr, objects.second_range)]
    rows.append(("", "services", objects.kubernetes_service(server.addresses.first()), None))
    host, _, port = server.settings.advertise.rpartition(":")
    if _is_address(host):
        endpoints = objects.kubernetes_endpoints(host, int(port))
        rows += [(group, resource, obj, _pointed) for group, resource, obj in endpoints]
    return rows


async def keep(server: ApiServer) -> None:
    """Make again what every cluster has, if somebody deletes it."""
    while True:
        await asyncio.sleep(KEEP_EVERY)
        rows: list[Row] = [("", "namespaces", namespace, None) for namespace in objects.namespaces()]
        for group, resource, obj, _ in rows + service_rows(server):
            try:
                await ensure(server, group, resource, obj)
            except (StatusError, StoreError) as error:  # a namespace that ends, an address that is still taken
                name = obj["metadata"]["name"]
                server.telemetry.log.warning("cannot keep %s %s: %s", resource, name, error)


async def _all(server: ApiServer, rows: list[Row]) -> None:
    """At the same time, so that one fsync serves many."""
    async with asyncio.TaskGroup() as tasks:
        for group, resource, obj, reconcile in rows:
            tasks.create_task(ensure(server, group, resource, obj, reconcile))


async def ensure(server: ApiServer, group: str, resource: str, obj: Object, reconcile: Reconcile | None = None) -> None:
    """Create the object, or let `reconcile(current, wanted)` say what it should become (None: as it is)."""
    metadata = obj["metadata"]
    version = obj["apiVersion"].rpartition("/")[2]
    served = server.table.find(group, version, resource)
    manager = objects.FLOW_MANAGER if group == objects.FLOW else "kybern"
    request = Request(
        server, APISERVER, "create", served, metadata.get("namespace", ""), metadata["name"], field_manager=manager
    )
    request.unasked = True
    current = served.storage.get(request.namespace, request.name)
    if current is not None and reconcile is _pointed and _other_family(current.decode(), obj):
        await delete(request, DeleteOptions())
        current = None
    if current is None:
        apply_defaults(served.info, obj)
        try:
            await create_object(request, obj)
        except StatusError as error:
            if error.reason != "AlreadyExists":
                raise
        return
    if reconcile is None:
        return
    apply_defaults(served.info, obj)

    async def produce(current: Object) -> Object:
        return reconcile(current, obj) or current

    await change(request, produce)


def _pointed(current: Object, wanted: Object) -> Object:
    """The same object with what the flags say now."""
    parts = ("subsets", "addressType", "endpoints", "ports")
    return {**current, **{member: wanted[member] for member in parts if member in wanted}}


def _other_family(current: Object, wanted: Object) -> bool:
    """Whether a slice has to be made anew: its family never changes."""
    return bool(current.get("addressType") != wanted.get("addressType"))


def _data(current: Object, wanted: Object) -> Object:
    return {**current, "data": {**(current.get("data") or {}), **wanted["data"]}}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
