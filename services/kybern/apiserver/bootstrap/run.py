"""Bootstrap: bring a store, new or old, to the state every cluster starts from. Runs before the server is ready."""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from kybern.apiserver.bootstrap import objects
from kybern.apiserver.bootstrap.rbac import GROUP, bootstrap_objects, reconciled
from kybern.apiserver.core import api_services
from kybern.apiserver.core.flowcontrol.configuration import maintained
from kybern.apiserver.core.user import APISERVER
from kybern.apiserver.registry.create import create_object
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change
from kybern.apiserver.server import ApiServer
from kybern.kube.defaults import apply_defaults
from kybern.kube.status import StatusError
from kybern.pki.source import parse_bundle

Object = dict[str, Any]
Reconcile = Callable[[Object, Object], Object | None]
Row = tuple[str, str, Object, Reconcile | None]  # group, resource, object


async def bootstrap(server: ApiServer, ca: str = "") -> None:
    """Make what is missing; add to RBAC what is missing there; point `kubernetes` at this server."""
    await _all(server, [("", "namespaces", namespace, None) for namespace in objects.namespaces()])
    rows: list[Row] = [(GROUP, resource, obj, reconciled) for resource, obj in bootstrap_objects()]
    rows += [(group, resource, obj, None) for group, resource, obj in objects.fixed()]
    rows += [(group, resource, obj, maintained) for group, resource, obj in objects.flow_objects()]
    rows.append(("", "serviceaccounts", objects.default_account(), None))
    rows.append(("networking.k8s.io", "servicecidrs", objects.service_cidr(server.settings.service_cidr), None))
    rows.append(("", "services", objects.kubernetes_service(server.addresses.first()), None))
    host, _, port = server.settings.advertise.rpartition(":")
    if _is_address(host):
        endpoints = objects.kubernetes_endpoints(host, int(port))
        rows += [(group, resource, obj, _pointed) for group, resource, obj in endpoints]
    rows += [(api_services.GROUP, api_services.RESOURCE, one, None) for one in server.aggregator.locals().values()]
    if ca:
        proxy_client = server.settings.proxy_client
        proxy_ca = parse_bundle(proxy_client.read_bytes()).ca.decode() if proxy_client is not None else ""
        rows.append(("", "configmaps", objects.authentication_config(ca, proxy_ca), _data))
    await _all(server, rows)


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
    if served.storage.get(request.namespace, request.name) is None:
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


def _data(current: Object, wanted: Object) -> Object:
    return {**current, "data": {**(current.get("data") or {}), **wanted["data"]}}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
