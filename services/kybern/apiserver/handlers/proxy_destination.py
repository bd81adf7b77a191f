"""Where a proxy subresource leads: a pod's port, a ready endpoint of a Service, a node's agent or one of its ports."""

from kybern.apiserver.aggregation.endpoints import ready, slices
from kybern.apiserver.core.proxy_names import ProxyName, is_proxyable, join, port_of, split
from kybern.apiserver.registry.request import Object, Request
from kybern.apiserver.server import ApiServer
from kybern.apiserver.storage.entry import Entry
from kybern.kube.status import bad_request, internal, not_found, service_unavailable
from kybern.protos.api.v1.objects_pb2 import ConnectResponse

KUBELET_PORT = 10250
KINDS = {"pods": "pod", "services": "service", "nodes": "node"}


def proxy_destination(server: ApiServer, request: Request) -> ConnectResponse:
    """Raises StatusError, in upstream's words."""
    name = split(request.name)
    if name is None:
        raise bad_request(f'invalid {KINDS[request.resource]} request "{request.name}"')
    entry = request.served.storage.get(request.namespace, name.name)
    if entry is None:
        raise not_found(request.group, request.resource, name.name)
    if request.resource == "services":
        return _service(server, request, name, entry)
    if request.resource == "nodes":
        return _node(entry, name)
    return _pod(entry, name)


def _scheme(name: ProxyName) -> str:
    return name.scheme or "http"


def _pod(entry: Entry, name: ProxyName) -> ConnectResponse:
    pod = entry.decode()
    address = (pod.get("status") or {}).get("podIP") or ""
    if not is_proxyable(address):
        raise bad_request("address not allowed")
    port = name.port or _first_port(pod) or ("443" if name.scheme == "https" else "80")
    if not port_of(port):
        port = _named_port(pod, port)
    return ConnectResponse(scheme=_scheme(name), address=join(address, port), object=entry.data)


def _first_port(pod: Object) -> str:
    """The first port of the first container that has one."""
    for container in pod["spec"].get("containers") or ():
        if container.get("ports"):
            return str(container["ports"][0]["containerPort"])
    return ""


def _named_port(pod: Object, wanted: str) -> str:
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == wanted:
                return str(port["containerPort"])
    raise bad_request(f'pod "{pod["metadata"]["name"]}" has no port "{wanted}"')


def _service(server: ApiServer, request: Request, name: ProxyName, entry: Entry) -> ConnectResponse:
    service = entry.decode()
    wanted = name.port
    if number := port_of(wanted):
        ports = (service.get("spec") or {}).get("ports") or ()
        port = next((port for port in ports if port.get("port") == number), None)
        if port is None:
            raise service_unavailable(f'no service port {number} found for service "{name.name}"')
        wanted = port.get("name") or ""
    pods = server.table.cacher("", "pods")
    found = []
    for endpoint in ready(slices(server.table.cacher, request.namespace, name.name), wanted):
        pod = pods.get(request.namespace, endpoint.pod) if endpoint.pod else None
        if pod is not None and is_proxyable(endpoint.address) and endpoint.address in _addresses(pod):
            found.append(endpoint)
    if not found:
        shown = request.name if name.port else name.name
        raise service_unavailable(f'no endpoints available for service "{shown}"')
    chosen = server.random.choice(found)
    return ConnectResponse(scheme=_scheme(name), address=join(chosen.address, chosen.port), object=entry.data)


def _addresses(pod: Entry) -> set[str]:
    """What a pod says of its addresses: an endpoint that claims another is not believed."""
    status = pod.decode().get("status") or {}
    return {one.get("ip", "") for one in status.get("podIPs") or ()} | {status.get("podIP") or ""}


def _node(entry: Entry, name: ProxyName) -> ConnectResponse:
    """The agent itself, unless another port than the kubelet's is asked for."""
    node = entry.decode()
    if not name.port or name.port == str(agent_port(node)):
        return ConnectResponse(node_name=name.name, object=entry.data)
    address = node_address(node)
    if not is_proxyable(address) or not port_of(name.port):
        raise bad_request("address not allowed")
    return ConnectResponse(scheme=_scheme(name), address=join(address, name.port), object=entry.data)


def agent_port(node: Object) -> int:
    """Where a node's agent listens."""
    endpoints = (node.get("status") or {}).get("daemonEndpoints") or {}
    return (endpoints.get("kubeletEndpoint") or {}).get("Port") or KUBELET_PORT


def node_address(node: Object) -> str:
    """Where a node is reached. Raises StatusError (500)."""
    known = {one.get("type"): one.get("address") for one in (node.get("status") or {}).get("addresses") or ()}
    address: str | None = known.get("InternalIP") or known.get("Hostname")
    if not address:
        raise internal(f"no preferred addresses found; known addresses: {list(known.values())}")
    return address
