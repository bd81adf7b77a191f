"""NodeRestriction: a node agent changes its own node, the pods bound to it, its lease and its CSINode, nothing else."""

from collections.abc import Callable, Iterator

from kybern.apiserver.admission.node_audiences import refused_audience
from kybern.apiserver.admission.plugin import CREATE, DELETE, UPDATE, Object, Plugin
from kybern.apiserver.core.node_labels import forbidden_labels
from kybern.apiserver.core.pod_references import MIRROR, all_references
from kybern.apiserver.registry.request import Request
from kybern.kube import meta
from kybern.kube.status import StatusError, forbidden, not_found

LEASES = "kube-node-lease"
TOLD = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")  # of a claim's status
REFERENCES = {
    "serviceaccounts": "a service account",
    "secrets": "secrets",
    "configmaps": "configmaps",
    "resourceclaims": "resourceclaims",
    "persistentvolumeclaims": "persistentvolumeclaims",
}  # in the order in which they are looked for


class NodeRestriction(Plugin):
    """See the module's docstring."""

    name = "NodeRestriction"

    async def mutate(self, request: Request, operation: str, new: Object, old: Object | None) -> None:
        _check(request, operation, new, old or {})

    async def before_delete(self, request: Request, old: Object) -> None:
        _check(request, DELETE, {}, old)


def _check(request: Request, operation: str, new: Object, old: Object) -> None:
    node = request.user.node
    if not node:
        if request.user.is_nameless_node:
            raise _no(request, f'could not determine node from user "{request.user.name}"')
        return
    check = KINDS.get((request.group, request.resource))
    if check is not None:
        check(request, operation, node, new, old)


def _node(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if request.of_collection or request.name != node:
        name = "" if request.of_collection else request.name
        raise _no(request, f'node "{node}" is not allowed to modify node "{name}"')
    if operation == CREATE:
        labels = ", ".join(forbidden_labels(meta.labels(new), {}))
        if (new.get("spec") or {}).get("configSource"):
            raise _no(request, f'node "{node}" is not allowed to create pods with a non-nil configSource')
        if labels:
            raise _no(request, f'node "{node}" is not allowed to set the following labels: {labels}')
    if operation != UPDATE:
        return
    if (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
        raise _no(request, f'node "{node}" is not allowed to modify taints')
    source = (new.get("spec") or {}).get("configSource")
    if source and source != (old.get("spec") or {}).get("configSource"):
        raise _no(request, f'node "{node}" is not allowed to update configSource to a new non-nil configSource')
    if (new["metadata"].get("ownerReferences") or []) != (old["metadata"].get("ownerReferences") or []):
        raise _no(request, f'node "{node}" is not allowed to modify ownerReferences')
    labels = ", ".join(forbidden_labels(meta.labels(new), meta.labels(old)))
    if labels:
        raise _no(request, f"is not allowed to modify labels: {labels}")


def _pod(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    match request.subresource:
        case "":
            _whole_pod(request, operation, node, new, old)
        case "status":
            _pod_status(request, operation, node, new, old)
        case "eviction":
            _eviction(request, operation, node)
        case other:
            raise _no(request, f"unexpected pod subresource \"{other}\", only 'status' and 'eviction' are allowed")


def _whole_pod(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if operation == CREATE:
        _mirror_pod(request, node, new)
    elif operation != DELETE:
        raise _no(request, f'unexpected operation "{operation}", node "{node}" can only create and delete mirror pods')
    elif _bound_to(old) != node and not request.of_collection:  # a pod is looked at by its name
        raise _no(request, f'node "{node}" can only delete pods with spec.nodeName set to itself')


def _pod_status(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if operation != UPDATE:
        raise _no(request, f'unexpected operation "{operation}", node "{node}" can only update pod status')
    if _bound_to(old) != node:
        raise _no(request, f'node "{node}" can only update pod status for pods with spec.nodeName set to itself')
    if meta.labels(new) != meta.labels(old):
        raise _no(request, f'node "{node}" cannot update labels through pod status')
    status, before = new.get("status") or {}, old.get("status") or {}
    if (status.get("resourceClaimStatuses") or []) != (before.get("resourceClaimStatuses") or []):
        raise _no(request, f'node "{node}" cannot update resource claim statues')
    if status.get("extendedResourceClaimStatus") != before.get("extendedResourceClaimStatus"):
        raise _no(request, f'node "{node}" cannot update extended resource claim status')


def _eviction(request: Request, operation: str, node: str) -> None:
    if operation != CREATE:
        raise _no(request, f"unexpected operation {operation}, node {node} can only evict pods")
    entry = request.server.table.cacher("", "pods").get(request.namespace, request.name)
    if entry is None:
        raise not_found("", "pod", request.name)
    if entry.field("spec.nodeName") != node:
        raise _no(request, f"node {node} can only evict pods with spec.nodeName set to itself")


def _mirror_pod(request: Request, node: str, pod: Object) -> None:
    """What shows a static pod is the node's own, and leads to no other object that the agent could read then."""
    if MIRROR not in meta.annotations(pod):
        raise _no(request, f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods')
    if _bound_to(pod) != node:
        raise _no(request, f'node "{node}" can only create pods with spec.nodeName set to itself')
    _check_owner(request, node, pod["metadata"].get("ownerReferences") or [])
    found = {resource for resource, _, _ in all_references(pod)}
    for resource, words in REFERENCES.items():
        if resource == "persistentvolumeclaims" and any(volume.get("ephemeral") for volume in _volumes(pod)):
            words += " (via ephemeral volumes)"
        if resource in found or (resource == "resourceclaims" and (pod.get("spec") or {}).get("resourceClaims")):
            raise _no(request, f'node "{node}" can not create pods that reference {words}')


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


def _claim(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    """A node agent tells how a claim's volume grows."""
    if request.subresource != "status":
        raise _no(request, "may only update PVC status")
    if operation != UPDATE:
        raise _no(request, f'unexpected operation "{operation}", node "{node}" can only update PVC status')
    if changed := sorted(_changes(new, old)):
        why = f'node "{node}" is not allowed to update fields other than status.quantity and status.conditions: '
        raise _no(request, why + ", ".join(changed))


def _changes(new: Object, old: Object) -> Iterator[str]:
    """The paths of what differs between two claims, but for what a node may tell."""
    for member, ours in (("metadata", ("managedFields", "resourceVersion")), ("spec", ()), ("status", TOLD)):
        after, before = new.get(member) or {}, old.get(member) or {}
        for name in {*after, *before} - {*ours}:
            if after.get(name) != before.get(name):
                yield f"{member}.{name}"


def _token(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    """A token must be bound to a pod of that service account on this node."""
    if request.subresource != "token" or operation != CREATE:
        return
    ref = (new.get("spec") or {}).get("boundObjectRef") or {}
    if ref.get("apiVersion") != "v1" or ref.get("kind") != "Pod" or not ref.get("name"):
        raise _no(request, "node requested token not bound to a pod")
    if not ref.get("uid"):
        raise _no(request, "node requested token with a pod binding without a uid")
    entry = request.server.table.cacher("", "pods").get(request.namespace, ref["name"])
    if entry is None:
        raise not_found("", "pod", ref["name"])
    if ref["uid"] != entry.uid:
        why = f"the UID in the bound object reference ({ref['uid']}) does not match the UID in record. "
        raise _no(request, f"{why}The object might have been deleted and then recreated")
    if entry.field("spec.nodeName") != node:
        raise _no(request, "node requested token bound to a pod scheduled on a different node")
    if why := refused_audience(request, new.get("spec") or {}, entry.decode()):
        raise _no(request, why)


def _lease(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if request.namespace != LEASES:
        raise _no(request, f'can only access leases in the "{LEASES}" system namespace')
    if request.name != node:
        raise _no(request, "can only access node lease with the same name as the requesting node")


def _csi_node(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if request.name != node:
        raise _no(request, "can only access CSINode with the same name as the requesting node")


def _slice(request: Request, operation: str, node: str, new: Object, old: Object) -> None:
    if operation == CREATE and (new.get("spec") or {}).get("nodeName") != node:
        raise _no(request, "can only create ResourceSlice with the same NodeName as the requesting node")


def _volumes(pod: Object) -> list[Object]:
    return (pod.get("spec") or {}).get("volumes") or []


def _bound_to(pod: Object) -> str:
    return (pod.get("spec") or {}).get("nodeName") or ""


def _no(request: Request, why: str) -> StatusError:
    return forbidden(request.group, request.resource, request.name, why)


KINDS: dict[tuple[str, str], Callable[[Request, str, str, Object, Object], None]] = {
    ("", "nodes"): _node,
    ("", "pods"): _pod,
    ("", "persistentvolumeclaims"): _claim,
    ("", "serviceaccounts"): _token,
    ("coordination.k8s.io", "leases"): _lease,
    ("storage.k8s.io", "csinodes"): _csi_node,
    ("resource.k8s.io", "resourceslices"): _slice,
}
