"""The Node authorizer: a node agent reads its own node, its pods and what they refer to, and no more.

Everything else an agent does is ruled by the rules of `system:node`, which are bound to nobody: they are read here.
What may be changed is narrowed further by the NodeRestriction plugin.
"""

from collections.abc import Callable

from kybern.apiserver.authorization.node_graph import NodeGraph
from kybern.apiserver.authorization.refusal import Denied
from kybern.apiserver.core.user import User
from kybern.apiserver.storage.cacher import Cacher
from kybern.kube.rbac import Attributes, rules_allow
from kybern.kube.selected import IN

READS = ("get", "list", "watch")
OWN_VERBS = ("get", "create", "update", "patch", "delete")
LEASE_NAMESPACE = "kube-node-lease"
REMEMBERED = 4096  # shapes of requests
Rules = list[dict[str, object]]
Shape = tuple[str, str, str, str]
Answer = bool | Denied


class NodeAuthorizer:
    """One rule for each kind of object that a node may have to do with."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._general: dict[Shape, bool] = {}
        self._graph = NodeGraph()
        self._special: dict[tuple[str, str], Callable[[str, Attributes], Answer]] = {
            ("", "secrets"): self._read_namespaced,
            ("", "configmaps"): self._read_namespaced,
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._get,
            ("", "serviceaccounts"): self._service_account,
            ("", "nodes"): _node,
            ("", "pods"): self._pod,
            ("resource.k8s.io", "resourceclaims"): self._get,
            ("resource.k8s.io", "resourceslices"): self._slice,
            ("storage.k8s.io", "volumeattachments"): self._get,
            ("storage.k8s.io", "csinodes"): _csi_node,
            ("coordination.k8s.io", "leases"): _lease,
        }

    def follow(self, cachers: Callable[[str, str], Cacher]) -> None:
        """Read what nodes refer to from its caches and keep up with them."""
        self._graph.follow(cachers)

    def decide(self, user: User, asked: Attributes) -> Answer:
        """Whether the agent of a node may do it; Denied says why not. Of other users nothing is known."""
        node = user.node
        if not node:
            return Denied(f'unknown node for user "{user.name}"') if user.is_nameless_node else False
        special = self._special.get((asked.group, asked.resource))
        return special(node, asked) if special is not None else self._by_rules(asked)

    def _related(self, node: str, asked: Attributes) -> Answer:
        if not asked.name:
            return Denied("No Object name found")
        if self._graph.related(node, asked.resource, asked.namespace, asked.name):
            return True
        return Denied(f"no relationship found between node '{node}' and this object")

    def _read_namespaced(self, node: str, asked: Attributes) -> Answer:
        if asked.verb not in READS:
            return Denied("can only read resources of this type")
        if asked.subresource:
            return Denied("cannot read subresource")
        if not asked.namespace:
            return Denied("can only read namespaced object of this type")
        return self._related(node, asked)

    def _get(self, node: str, asked: Attributes) -> Answer:
        if asked.verb != "get":
            return Denied("can only get individual resources of this type")
        if asked.subresource:
            return Denied("cannot get subresource")
        return self._related(node, asked)

    def _claim(self, node: str, asked: Attributes) -> Answer:
        if asked.subresource != "status":
            return self._get(node, asked)
        if asked.verb not in ("update", "patch"):
            return Denied("can only get/update/patch this type")
        return self._related(node, asked)

    def _service_account(self, node: str, asked: Attributes) -> Answer:
        if asked.verb == "get" and not asked.subresource:
            return self._related(node, asked)
        if asked.verb != "create" or not asked.name:
            return Denied("can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return Denied("can only create token subresource of service account")
        return self._related(node, asked)

    def _pod(self, node: str, asked: Attributes) -> Answer:
        match asked.subresource, asked.verb:
            case "", "get":
                return self._related(node, asked)
            case "", "list" | "watch":
                if ("spec.nodeName", IN, (node,)) in asked.fields:
                    return True
                if asked.name:
                    return self._related(node, asked)
                return Denied("can only list/watch pods with spec.nodeName field selector")
            case ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create"):
                return True  # NodeRestriction looks at the pod
        return False

    def _slice(self, node: str, asked: Attributes) -> Answer:
        if asked.subresource:
            return Denied("cannot authorize ResourceSlice subresources")
        match asked.verb:
            case "create":
                return True  # NodeRestriction looks at its node
            case "get" | "update" | "patch" | "delete":
                return self._related(node, asked)
            case "list" | "watch" | "deletecollection":
                if ("spec.nodeName", IN, (node,)) in asked.fields:
                    return True
                return Denied("can only list/watch/deletecollection resourceslices with nodeName field selector")
        verbs = "get, watch, list, create, update, patch, delete, deletecollection"
        return Denied(f"only the following verbs are allowed for a ResourceSlice: {verbs}")

    def _by_rules(self, asked: Attributes) -> bool:
        if not asked.is_resource_request:
            return rules_allow(self._rules, asked)
        shape = (asked.verb, asked.group, asked.resource, asked.subresource)
        known = self._general.get(shape)
        if known is None:
            if len(self._general) >= REMEMBERED:
                self._general.clear()
            known = self._general[shape] = rules_allow(self._rules, asked)
        return known


def _node(node: str, asked: Attributes) -> Answer:
    """Its own; NodeRestriction looks at what is written."""
    match asked.subresource, asked.verb:
        case ("", "create" | "update" | "patch") | ("status", "update" | "patch"):
            return True
        case "", "get" | "list" | "watch":
            if asked.name == node:
                return True
            which = f"'{asked.name}'" if asked.name else "all nodes"
            return Denied(f"node '{node}' cannot read {which}, only its own Node object")
    return False


def _lease(node: str, asked: Attributes) -> Answer:
    if asked.verb not in OWN_VERBS:
        return Denied("can only get, create, update, patch, or delete a node lease")
    if asked.namespace != LEASE_NAMESPACE:
        return Denied(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
    if asked.verb != "create" and asked.name != node:  # a name is not known before it is created
        return Denied("can only access node lease with the same name as the requesting node")
    return True


def _csi_node(node: str, asked: Attributes) -> Answer:
    if asked.verb not in OWN_VERBS:
        return Denied("can only get, create, update, patch, or delete a CSINode")
    if asked.subresource:
        return Denied("cannot authorize CSINode subresources")
    if asked.verb != "create" and asked.name != node:
        return Denied("can only access CSINode with the same name as the requesting node")
    return True
