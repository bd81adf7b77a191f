"""RBAC: rules say what may be done to what, bindings say who; a binding's role never changes."""

from kybern.kube.field import Struct, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, immutable, items, text
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_subdomain, path_segment

_GROUP = "rbac.authorization.k8s.io"


def validate_role(obj: Object) -> Errors:
    for index, rule in enumerate(items(obj, "rules")):
        yield from _rule(rule, f"rules[{index}]", namespaced=True)


def validate_cluster_role(obj: Object) -> Errors:
    for index, rule in enumerate(items(obj, "rules")):
        yield from _rule(rule, f"rules[{index}]", namespaced=False)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None:
        selectors = items(aggregation, "clusterRoleSelectors")
        if not selectors:
            yield required(
                "aggregationRule.clusterRoleSelectors",
                "at least one clusterRoleSelector required if aggregationRule is non-nil",
            )
        for index, selector in enumerate(selectors):
            at = f"aggregationRule.clusterRoleSelectors[{index}]"
            problems = list(validate_selector(selector, at))
            yield from problems
            if problems:
                yield invalid(at, None, "invalid label selector.")


def _rule(rule: Object, path: str, *, namespaced: bool) -> Errors:
    if not items(rule, "verbs"):
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    if items(rule, "nonResourceURLs"):
        if namespaced:
            detail = "namespaced rules cannot apply to non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", rule["nonResourceURLs"], detail)
        if any(items(rule, name) for name in ("apiGroups", "resources", "resourceNames")):
            detail = "rules cannot apply to both regular resources and non-resource URLs"
            yield invalid(f"{path}.nonResourceURLs", rule["nonResourceURLs"], detail)
        return
    for name, one in (("apiGroups", "one api group"), ("resources", "one resource")):
        if not items(rule, name):
            yield required(f"{path}.{name}", f"resource rules must supply at least {one}")


def validate_role_binding(obj: Object) -> Errors:
    yield from _binding(obj, ("Role", "ClusterRole"), cluster=False)


def validate_cluster_role_binding(obj: Object) -> Errors:
    yield from _binding(obj, ("ClusterRole",), cluster=True)


def _binding(obj: Object, kinds: tuple[str, ...], *, cluster: bool) -> Errors:
    role = child(obj, "roleRef")
    if role.get("apiGroup") != _GROUP:
        yield not_supported("roleRef.apiGroup", role.get("apiGroup") or "", (_GROUP,))
    if role.get("kind") not in kinds:
        yield not_supported("roleRef.kind", role.get("kind") or "", kinds, in_order=True)
    if not role.get("name"):
        yield required("roleRef.name")
    else:
        yield from text(role["name"], "roleRef.name", path_segment)
    for index, subject in enumerate(items(obj, "subjects")):
        yield from _subject(subject, f"subjects[{index}]", cluster=cluster)


def _subject(subject: Object, path: str, *, cluster: bool) -> Errors:
    kind, group, name = (subject.get(field) or "" for field in ("kind", "apiGroup", "name"))
    if not name:
        yield required(f"{path}.name")
    if kind == "ServiceAccount":
        if name:
            yield from text(name, f"{path}.name", dns1123_subdomain)
        if group:
            yield not_supported(f"{path}.apiGroup", group, ("",))
        if cluster and not subject.get("namespace"):
            yield required(f"{path}.namespace")
    elif kind in ("User", "Group"):
        if group != _GROUP:
            yield not_supported(f"{path}.apiGroup", group, (_GROUP,))
    else:
        yield not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"), in_order=True)


def validate_binding_update(obj: Object, old: Object) -> Errors:
    new, before = (
        Struct(APIGroup=role.get("apiGroup") or "", Kind=role.get("kind") or "", Name=role.get("name") or "")
        for role in (child(obj, "roleRef"), child(old, "roleRef"))
    )
    yield from immutable(new, before, "roleRef", "cannot change roleRef")
