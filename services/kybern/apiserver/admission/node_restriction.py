"""NodeRestriction: a node agent changes its own node, the pods bound to it, its lease and its CSINode, nothing else."""

from kybern.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Object, Plugin
from kybern.apiserver.registry.request import Request
from kybern.kube.status import StatusError, forbidden

MIRROR = "kubernetes.io/config.mirror"
LEASES = "kube-node-lease"
RESTRICTED = "node-restriction.kubernetes.io/"


class NodeRestriction(Plugin):
    """See the module's docstring."""

    name = "NodeRestriction"

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        node = request.user.node
        if not node:
            return
        match (request.group, request.resource):
            case ("", "nodes"):
                self._node(request, operation, node, new, old)
            case ("", "pods"):
                self._pod(request, operation, node, new, old)
            case ("", "serviceaccounts") if request.subresource == "token":
                self._token(request, node, new)
            case ("coordination.k8s.io", "leases"):
                if request.namespace != LEASES:
                    raise _no(request, f'can only access leases in the "{LEASES}" system namespace')
                if request.name != node:
                    raise _no(request, "can only access node lease with the same name as the requesting node")
            case ("storage.k8s.io", "csinodes") if request.name != node:
                raise _no(request, "can only access CSINode with the same name as the requesting node")

    def _node(self, request: Request, operation: str, node: str, new: Object | None, old: Object | None) -> None:
        if request.name != node:
            raise _no(request, f'node "{node}" is not allowed to modify node "{request.name}"')
        if operation == DELETE:
            raise _no(request, f'node "{node}" is not allowed to delete its own node')
        if operation == UPDATE and new is not None and old is not None:
            if (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
                raise _no(request, f'node "{node}" is not allowed to modify taints')
            changed = {k for k in {**_labels(new), **_labels(old)} if _labels(new).get(k) != _labels(old).get(k)}
            if forbidden_labels := sorted(label for label in changed if RESTRICTED in label):
                names = ", ".join(forbidden_labels)
                raise _no(request, f"is not allowed to modify labels: {names}")

    def _pod(self, request: Request, operation: str, node: str, new: Object | None, old: Object | None) -> None:
        if request.subresource == "eviction" or operation == DELETE or request.subresource == "status":
            bound = ((old or {}).get("spec") or {}).get("nodeName")
            if bound != node:
                what = {"": "delete", "status": "update status for", "eviction": "evict"}[request.subresource]
                raise _no(request, f'node "{node}" can only {what} pods with spec.nodeName set to itself')
        elif operation == CREATE and new is not None:
            if MIRROR not in (new["metadata"].get("annotations") or {}):
                raise _no(
                    request, f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
                )
            if (new.get("spec") or {}).get("nodeName") != node:
                raise _no(request, f'node "{node}" can only create pods with spec.nodeName set to itself')
        else:
            raise _no(
                request, f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods'
            )

    def _token(self, request: Request, node: str, new: Object | None) -> None:
        """A token must be bound to a pod of that service account on this node."""
        ref = ((new or {}).get("spec") or {}).get("boundObjectRef") or {}
        if ref.get("kind") != "Pod":
            raise _no(request, "node requested token not bound to a pod")
        entry = request.server.table.cacher("", "pods").get(request.namespace, ref.get("name") or "")
        if entry is None or entry.field("spec.nodeName") != node:
            raise _no(request, "node requested token bound to a pod scheduled on a different node")
        if ref.get("uid") != entry.uid:
            raise _no(
                request, f"the UID in the bound object reference ({ref.get('uid')}) does not match the UID in record"
            )


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def _no(request: Request, why: str) -> StatusError:
    return forbidden(request.group, request.resource, request.name, why)
