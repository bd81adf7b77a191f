"""NodeRestriction: a node agent changes its own node, the pods bound to it, its lease and its CSINode, nothing else."""

from kybern.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Object, Plugin
from kybern.apiserver.core.node_labels import forbidden_labels
from kybern.apiserver.core.pod_references import pod_references
from kybern.apiserver.registry.request import Request
from kybern.kube import meta
from kybern.kube.status import StatusError, forbidden, not_found

MIRROR = "kubernetes.io/config.mirror"
LEASES = "kube-node-lease"
DOES = {"": "delete", "status": "update status for", "eviction": "evict"}  # by subresource


class NodeRestriction(Plugin):
    """See the module's docstring."""

    name = "NodeRestriction"

    async def validate(self, request: Request, operation: str, new: Object | None, old: Object | None) -> None:
        node = request.user.node
        if not node:
            return
        match (request.group, request.resource):
            case ("", "nodes"):
                _node(request, operation, node, new or {}, old or {})
            case ("", "pods"):
                _pod(request, operation, node, new or {}, old or {})
            case ("", "serviceaccounts") if request.subresource == "token":
                _token(request, node, new or {})
            case ("coordination.k8s.io", "leases"):
                if request.namespace != LEASES:
                    raise _no(request, f'can only access leases in the "{LEASES}" system namespace')
                if request.name != node:
                    raise _no(request, "can only access node lease with the same name as the requesting node")
            case ("storage.k8s.io", "csinodes") if request.name != node:
                raise _no(request, "can only access CSINode with the same name as the requesting node")


def _node(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if request.name != node:
        raise _no(request, f'node "{node}" is not allowed to modify node "{request.name}"')
    if operation == DELETE:
        raise _no(request, f'node "{node}" is not allowed to delete its own node')
    labels = ", ".join(forbidden_labels(meta.labels(new), meta.labels(old)))
    if operation == CREATE and labels:
        raise _no(request, f"is not allowed to set the following labels: {labels}")
    if operation != UPDATE:
        return
    if (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
        raise _no(request, f'node "{node}" is not allowed to modify taints')
    if labels:
        raise _no(request, f"is not allowed to modify labels: {labels}")
    if (new["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
        raise _no(request, f'node "{node}" is not allowed to modify ownerReferences')


def _pod(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if operation == DELETE or request.subresource in ("eviction", "status"):
        if (old.get("spec") or {}).get("nodeName") != node:
            what = DOES[request.subresource]
            raise _no(request, f'node "{node}" can only {what} pods with spec.nodeName set to itself')
        if request.subresource == "status" and meta.labels(new) != meta.labels(old):
            raise _no(request, f'node "{node}" cannot update labels through pod status')
    elif operation == CREATE:
        _mirror_pod(request, node, new)
    else:
        raise _no(request, f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods')


def _mirror_pod(request: Request, node: str, pod: Object) -> None:
    """What shows a static pod is the node's own, and leads to no other object that the agent could read then."""
    if MIRROR not in meta.annotations(pod):
        raise _no(request, f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods')
    if (pod.get("spec") or {}).get("nodeName") != node:
        raise _no(request, f'node "{node}" can only create pods with spec.nodeName set to itself')
    _check_owner(request, node, pod["metadata"].get("ownerReferences") or [])
    for resource in sorted({resource for resource, _, _ in pod_references(pod)}):
        what = "a service account" if resource == "serviceaccounts" else resource
        raise _no(request, f'node "{node}" can not create pods that reference {what}')
    if pod["spec"].get("resourceClaims"):
        raise _no(request, f'node "{node}" can not create pods that reference resourceclaims')


def _check_owner(request: Request, node: str, owners: list[Object]) -> None:
    if len(owners) > 1:
        raise _no(request, f'node "{node}" can only create pods with a single owner reference set to itself')
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        raise _no(request, f'node "{node}" can only create pods with an owner reference set to itself')
    if not owner.get("controller"):
        raise _no(request, f'node "{node}" can only create pods with a controller owner reference set to itself')
    if owner.get("blockOwnerDeletion"):
        raise _no(request, f'node "{node}" must not set blockOwnerDeletion on an owner reference')
    entry = request.server.table.cacher("", "nodes").get("", node)
    if entry is None:
        raise not_found("", "nodes", node)
    if owner.get("uid") != entry.uid:
        raise _no(request, f"node {node} UID mismatch: expected {owner.get('uid')} got {entry.uid}")


def _token(request: Request, node: str, new: Object) -> None:
    """A token must be bound to a pod of that service account on this node."""
    ref = (new.get("spec") or {}).get("boundObjectRef") or {}
    if ref.get("kind") != "Pod":
        raise _no(request, "node requested token not bound to a pod")
    entry = request.server.table.cacher("", "pods").get(request.namespace, ref.get("name") or "")
    if entry is None or entry.field("spec.nodeName") != node:
        raise _no(request, "node requested token bound to a pod scheduled on a different node")
    if ref.get("uid") != entry.uid:
        why = f"the UID in the bound object reference ({ref.get('uid')}) does not match the UID in record"
        raise _no(request, why)


def _no(request: Request, why: str) -> StatusError:
    return forbidden(request.group, request.resource, request.name, why)
