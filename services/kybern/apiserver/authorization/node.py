"""The Node authorizer: a node agent reads what the pods bound to its node refer to, and no more.

Everything else an agent does is ruled by the rules of `system:node`, which are bound to nobody: they are read here.
What may be changed is narrowed further by the NodeRestriction plugin.
"""

from collections import Counter
from collections.abc import Callable

from kybern.apiserver.authorization.refusal import Denied
from kybern.apiserver.core.pod_references import Reference, pod_references
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import CacheEvent, Entry
from kybern.kube.rbac import Attributes, rules_allow

READS = ("get", "list", "watch")
REFERENCED = ("secrets", "configmaps", "persistentvolumeclaims", "serviceaccounts")
UNRELATED = "no relationship found between node '{node}' and this object"
ONLY_READ = "can only read resources of this type"
NO_NAME = "No Object name found"
REMEMBERED = 4096  # shapes of requests
Rules = list[dict[str, object]]
Shape = tuple[str, str, str, str]


class NodeAuthorizer:
    """References by node, kept up with the pods' cache."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pods: dict[str, tuple[str, frozenset[Reference]]] = {}
        self._references: dict[str, Counter[Reference]] = {}
        self._general: dict[Shape, bool] = {}
        self._cachers: Callable[[str, str], Cacher]

    def follow(self, cachers: Callable[[str, str], Cacher]) -> None:
        """Read the pods from their cache and keep up with them."""
        self._cachers = cachers
        pods = cachers("", "pods")
        for entry in pods.entries.values():
            self._put(entry)
        pods.listeners.append(self._changed)

    def _changed(self, event: CacheEvent) -> None:
        if event.deleted:
            self._forget(event.entry.key)
        else:
            self._put(event.entry)

    def _put(self, entry: Entry) -> None:
        node = entry.field("spec.nodeName")
        if not node and entry.key not in self._pods:
            return
        references = pod_references(entry.decode()) if node else frozenset()
        if self._pods.get(entry.key) == (node, references):
            return
        self._forget(entry.key)
        if node:
            self._pods[entry.key] = (node, references)
            if references:
                self._references.setdefault(node, Counter()).update(references)

    def _forget(self, key: str) -> None:
        node, references = self._pods.pop(key, ("", frozenset()))
        if not references:
            return
        counts = self._references[node]
        for reference in references:
            counts[reference] -= 1
            if not counts[reference]:
                del counts[reference]
        if not counts:
            del self._references[node]

    def decide(self, node: str, asked: Attributes) -> bool | Denied:
        """Whether the agent of a node may do it; Denied says why not."""
        if not asked.group and asked.resource in REFERENCED:
            return self._referenced(node, asked)
        if not asked.group and asked.resource == "persistentvolumes" and asked.verb in READS:
            return self._volume(node, asked)
        return self._by_rules(asked)

    def _referenced(self, node: str, asked: Attributes) -> bool | Denied:
        if asked.subresource == "token" and asked.resource == "serviceaccounts":
            allowed = asked.verb == "create"
        elif asked.subresource == "status" and asked.resource == "persistentvolumeclaims":
            allowed = asked.verb in ("get", "update", "patch")
        else:
            allowed = asked.verb in READS and not asked.subresource
        if not allowed:
            return Denied(ONLY_READ)
        if not asked.name:
            return Denied(NO_NAME)
        known = self._references.get(node, ())
        reference = (asked.resource, asked.namespace, asked.name)
        return True if reference in known else Denied(UNRELATED.format(node=node))

    def _volume(self, node: str, asked: Attributes) -> bool | Denied:
        """A volume is the node's business if a claim of one of its pods is bound to it."""
        entry = self._cachers("", "persistentvolumes").get("", asked.name)
        claim = ((entry.decode().get("spec") or {}).get("claimRef") or {}) if entry is not None else {}
        reference = ("persistentvolumeclaims", claim.get("namespace") or "", claim.get("name") or "")
        return True if reference in self._references.get(node, ()) else Denied(UNRELATED.format(node=node))

    def _by_rules(self, asked: Attributes) -> bool:
        shape = (asked.verb, asked.group, asked.resource, asked.subresource)
        known = self._general.get(shape)
        if known is None:
            if len(self._general) >= REMEMBERED:
                self._general.clear()
            known = self._general[shape] = rules_allow(self._rules, asked)
        return known
