"""Which writes a webhook or an admission policy is about: resource rules, selectors, and equivalent versions.

Rules and selectors are read as they stand in the configuration object; what they ask of a write is in `Attributes`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.admission.plugin import DELETE
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.resource_table import Served
from kybern.kube.rbac import includes
from kybern.kube.selectors import Selector
from kybern.kube.status import not_found

Object = dict[str, Any]
GROUP = "admissionregistration.k8s.io"
POLICIES = frozenset(
    {
        (GROUP, "mutatingadmissionpolicies"),
        (GROUP, "mutatingadmissionpolicybindings"),
        (GROUP, "validatingadmissionpolicies"),
        (GROUP, "validatingadmissionpolicybindings"),
    }
)
CONFIGURATIONS = POLICIES | {(GROUP, "mutatingwebhookconfigurations"), (GROUP, "validatingwebhookconfigurations")}
POLICIES_AND_REVIEWS = POLICIES.union(
    {
        ("authentication.k8s.io", "selfsubjectreviews"),
        ("authentication.k8s.io", "tokenreviews"),
        ("authorization.k8s.io", "localsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectaccessreviews"),
        ("authorization.k8s.io", "selfsubjectrulesreviews"),
        ("authorization.k8s.io", "subjectaccessreviews"),
    }
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What rules ask of a write. A namespace lies in itself, as upstream has it."""

    operation: str
    group: str
    version: str
    resource: str
    subresource: str
    namespace: str
    name: str


def attributes(request: Request, operation: str) -> Attributes:
    """The attributes of a request in the version it was made in."""
    info = request.served.info
    namespace = request.name if info.resource == "namespaces" and not info.group else request.namespace
    return Attributes(
        operation, info.group, info.version, info.resource, request.subresource, namespace, request.name
    )  # fmt: skip


def is_exempt_from_webhooks(request: Request) -> bool:
    """Whether the object configures admission: no webhook stands in the way of repairing it."""
    return request.unasked or request.served.group_resource in CONFIGURATIONS


def is_exempt_from_policies(request: Request) -> bool:
    """The same of policies; who may do what can be asked, whatever they say."""
    return request.unasked or request.served.group_resource in POLICIES_AND_REVIEWS


def rule_matches(rule: Mapping[str, Any], asked: Attributes) -> bool:
    """Whether one of a configuration's rules names the write."""
    names = rule.get("resourceNames")
    return (
        includes(rule.get("operations"), asked.operation)
        and includes(rule.get("apiGroups"), asked.group)
        and includes(rule.get("apiVersions"), asked.version)
        and any(_resource_matches(pattern, asked) for pattern in rule.get("resources") or ())
        and _scope_matches(rule.get("scope") or "*", asked)
        and (not names or asked.name in names)
    )


def _resource_matches(pattern: str, asked: Attributes) -> bool:
    """`*` is every resource without its subresources, `*/*` everything, `pods/*` the pods' subresources and pods."""
    resource, _, subresource = pattern.partition("/")
    return resource in ("*", asked.resource) and subresource in ("*", asked.subresource)


def _scope_matches(scope: str, asked: Attributes) -> bool:
    if scope == "*":
        return True
    namespaced = bool(asked.namespace) and asked.resource != "namespaces"
    return namespaced if scope == "Namespaced" else not namespaced


def find_match(
    request: Request,
    operation: str,
    rules: Iterable[Mapping[str, Any]],
    match_policy: str = "Equivalent",
    exclude: Iterable[Mapping[str, Any]] = (),
) -> Served | None:
    """The version of the resource that the rules name, or None.

    It is the request's own version where the rules name that; else, unless only exact matches count, another version
    that objects of the same storage are served in. What `exclude` names, in any version that counts, does not match.
    """
    rules = list(rules)
    asked = attributes(request, operation)
    candidates = [request.served]
    if match_policy != "Exact":
        candidates += equivalents(request)
    for rule in exclude:
        if any(rule_matches(rule, _in_version(asked, served)) for served in candidates):
            return None
    for served in candidates:
        at = _in_version(asked, served)
        if any(rule_matches(rule, at) for rule in rules):
            return served
    return None


def equivalents(request: Request) -> list[Served]:
    """The other versions and groups in which the same stored objects are served."""
    mine = request.served
    if mine.cacher is None:
        return []
    return [
        served for served in request.server.table.served.values() if served.cacher is mine.cacher and served is not mine
    ]


def _in_version(asked: Attributes, served: Served) -> Attributes:
    info = served.info
    if (info.group, info.version) == (asked.group, asked.version):
        return asked
    return Attributes(
        asked.operation, info.group, info.version, info.resource, asked.subresource, asked.namespace, asked.name
    )  # fmt: skip


def namespace_matches(request: Request, operation: str, selector: Selector, new: Object | None) -> bool:
    """Whether the namespace of the object has the labels; a namespace is judged by its own. Raises StatusError (404).

    Objects that lie in no namespace always match.
    """
    if selector.empty:
        return True
    is_namespace = request.resource == "namespaces" and not request.group
    if not request.served.info.namespaced and not is_namespace:
        return True
    if is_namespace and new is not None and operation != DELETE and not request.subresource:
        return selector.matches(new["metadata"].get("labels") or {})
    name = request.name if is_namespace else request.namespace
    entry = request.server.table.cacher("", "namespaces").get("", name)
    if entry is None:
        raise not_found("", "namespaces", name)
    return selector.matches(entry.labels)


def object_matches(selector: Selector, new: Object | None, old: Object | None) -> bool:
    """Whether the object has the labels, before or after the write; what has no metadata has none."""
    if selector.empty:
        return True
    for obj in (new, old):
        metadata = obj.get("metadata") if obj is not None else None
        if isinstance(metadata, dict) and selector.matches(metadata.get("labels") or {}):
            return True
    return False
