"""Availability of one extension API server: its Service, the endpoints, and whether its discovery document comes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kybern.apiserver.aggregation.client import Answer, Backend, ExtensionClient, NotReached
from kybern.apiserver.aggregation.endpoints import ready, slices
from kybern.apiserver.core.api_services import PASSED, Said
from kybern.apiserver.core.remote_discovery import parse, resource_rows

if TYPE_CHECKING:
    from kybern.apiserver.server import ApiServer

Object = dict[str, Any]
DISCOVERY = {"Accept": "application/json"}


def check_service(server: "ApiServer", backend: Backend) -> Said | None:
    """What is wrong with the Service or its endpoints, if anything is."""
    namespace, name, port = backend.service.namespace, backend.service.name, backend.service.port
    entry = server.table.cacher("", "services").get(namespace, name)
    shown = f'service/{name} in "{namespace}"'
    if entry is None:
        return Said(False, "ServiceNotFound", f"{shown} is not present")
    spec = entry.decode().get("spec") or {}
    if spec.get("type") == "ExternalName":
        return None
    found = next((one for one in spec.get("ports") or () if one.get("port") == port), None)
    if found is None:
        return Said(False, "ServicePortError", f"{shown} is not listening on port {port}")
    known = slices(server.table.cacher, namespace, name)
    if not known:
        return Said(False, "EndpointsNotFound", f"cannot find endpointslices for {shown}")
    port_name = found.get("name") or ""
    if next(ready(known, port_name), None) is None:
        text = f'endpointslices for {shown} have no addresses with port name "{port_name}"'
        return Said(False, "MissingEndpoints", text)
    return None


async def check_discovery(
    server: "ApiServer", client: ExtensionClient, backend: Backend, group: str, version: str
) -> tuple[Said, list[Object] | None]:
    """What the server's answer to discovery says, and the resources in it."""
    path = f"/apis/{group}/{version}"
    shown = f"https://{_host(server, backend)}:{backend.service.port}{path}"
    try:
        answer = await client.get(backend, path, DISCOVERY, shown)
    except NotReached as error:
        return Said(False, "FailedDiscoveryCheck", f"failing or missing response from {shown}: {error}"), None
    if not 200 <= answer.status < 300:
        text = f"failing or missing response from {shown}: bad status from {shown}: {answer.status}"
        return Said(False, "FailedDiscoveryCheck", text), None
    return PASSED, _read(answer, resource_rows)


def _host(server: "ApiServer", backend: Backend) -> str:
    """What a Service is called by: the name that it stands for, its cluster IP, or else its own name."""
    entry = server.table.cacher("", "services").get(backend.service.namespace, backend.service.name)
    spec = (entry.decode().get("spec") or {}) if entry is not None else {}
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName") or backend.service.host)
    address = spec.get("clusterIP") or "None"
    return backend.service.host if address == "None" else str(address)


def _read(answer: Answer, read: Callable[[Any], list[Object]]) -> list[Object] | None:
    """None for a document that cannot be read: its server is there, and what it serves is not known."""
    try:
        return read(parse(answer.body))
    except ValueError:
        return None
