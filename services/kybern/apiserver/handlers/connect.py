"""Connect: authorize a streaming subresource and say which node agent serves it."""

from kybern.apiserver.core.proxy_names import join
from kybern.apiserver.handlers.begin import begin, need_namespace
from kybern.apiserver.handlers.proxy_destination import agent_port, node_address, proxy_destination
from kybern.apiserver.handlers.warned import warned
from kybern.apiserver.registry.connection import admit, has_dry_run
from kybern.apiserver.registry.request import Object, Request
from kybern.apiserver.server import ApiServer
from kybern.kube.status import bad_request, conflict, not_found
from kybern.protos.api.v1.objects_pb2 import ConnectRequest, ConnectResponse
from kybern.rpc.exchange.context import CallContext

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
TARGET = "kybern.io/agent-target"
TAKE_OVER = ("exec", "attach", "portforward")
IN_CONTAINER = ("log", "exec", "attach")


async def connect(server: ApiServer, message: ConnectRequest, call: CallContext) -> ConnectResponse:
    """Where to go. Raises StatusError."""
    request = begin(server, call, message.verb or "create", message.resource, message.name)
    with warned(request):
        return await _destination(server, request, message)


async def _destination(server: ApiServer, request: Request, message: ConnectRequest) -> ConnectResponse:
    if request.subresource != "log" and has_dry_run(message.query):
        raise bad_request("dryRun is not supported")
    if request.verb == "get" and request.subresource in TAKE_OVER:
        request.check("create")  # to look at a pod is not to command it
    need_namespace(request)
    container = message.container
    if request.subresource != "log":
        container = (await admit(request, message.query)).get("container") or container
    await server.feed.fresh()
    if request.subresource == "proxy":
        found = proxy_destination(server, request)
        if found.node_name:
            found.target = node_target(request, found.node_name)
            found.server_name = f"{found.node_name}.node.kybern"
        return found
    entry = request.served.storage.get(request.namespace, request.name)
    if entry is None:
        raise not_found(request.group, request.resource, request.name)
    pod = entry.decode()
    node = pod["spec"].get("nodeName") or ""
    container = choose_container(request, pod, container) if request.subresource in IN_CONTAINER else ""
    if not node:
        if request.subresource == "log":
            return ConnectResponse(container=container, object=entry.data)
        raise bad_request(f"pod {request.name} does not have a host assigned")
    if request.subresource in TAKE_OVER:
        phase = (pod.get("status") or {}).get("phase")
        if phase in ("Succeeded", "Failed"):
            why = f"cannot {request.subresource} into a container in a completed pod; current phase is {phase}"
            raise bad_request(why) if request.subresource != "portforward" else conflict("", "pods", request.name, why)
    return ConnectResponse(
        node_name=node,
        target=node_target(request, node),
        server_name=f"{node}.node.kybern",
        container=container,
        object=entry.data,
    )


def node_target(request: Request, name: str) -> str:
    """The gRPC target of a node's agent. Raises StatusError, which names the resource of the request, as upstream's."""
    entry = request.server.table.cacher("", "nodes").get("", name)
    if entry is None:
        raise not_found("", request.resource, name)
    node = entry.decode()
    target = (node["metadata"].get("annotations") or {}).get(TARGET)
    if target:
        return str(target)
    return join(node_address(node), agent_port(node))


def choose_container(request: Request, pod: Object, wanted: str) -> str:
    """The container asked for, or the pod's default. Raises StatusError (400)."""
    spec, name = pod["spec"], request.name
    groups = {
        member: [c["name"] for c in spec.get(member) or ()]
        for member in ("containers", "initContainers", "ephemeralContainers")
    }
    if wanted:
        if not any(wanted in found for found in groups.values()):
            raise bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER)
    if default and any(default in found for found in groups.values()):
        return str(default)
    containers = groups["containers"]
    if len(containers) == 1:
        return str(containers[0])
    if request.subresource in ("exec", "attach") and containers:
        return str(containers[0])
    choices = f"choose one of: [{' '.join(containers)}]"
    if groups["initContainers"]:
        choices += f" or one of the init containers: [{' '.join(groups['initContainers'])}]"
    raise bad_request(f"a container name must be specified for pod {name}, {choices}")
