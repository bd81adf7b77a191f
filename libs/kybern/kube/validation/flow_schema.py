"""FlowSchema; the mandatory ones must say what they always say."""

from collections.abc import Iterable
from typing import Any

from kybern.kube.field import Struct, forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, items, same, text
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain

EXEMPT, CATCH_ALL = "exempt", "catch-all"
EVERYTHING = "*"
LAST_PRECEDENCE = 10_000
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_ALL_RESOURCES = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": True, "namespaces": ["*"]}
_ALL_PATHS = {"verbs": ["*"], "nonResourceURLs": ["*"]}


def _everything_of(*groups: str) -> Object:
    subjects = [{"kind": "Group", "group": {"name": name}} for name in groups]
    return {"subjects": subjects, "resourceRules": [_ALL_RESOURCES], "nonResourceRules": [_ALL_PATHS]}


MANDATORY_SCHEMAS: dict[str, Object] = {
    EXEMPT: {
        "priorityLevelConfiguration": {"name": EXEMPT},
        "matchingPrecedence": 1,
        "rules": [_everything_of("system:masters")],
    },
    CATCH_ALL: {
        "priorityLevelConfiguration": {"name": CATCH_ALL},
        "matchingPrecedence": LAST_PRECEDENCE,
        "distinguisherMethod": {"type": "ByUser"},
        "rules": [_everything_of("system:unauthenticated", "system:authenticated")],
    },
}


def validate_flow_schema(obj: Object) -> Errors:
    name, spec = child(obj, "metadata").get("name") or "", child(obj, "spec")
    precedence = spec.get("matchingPrecedence", 0)
    if precedence <= 0:
        yield invalid("spec.matchingPrecedence", precedence, "must be a positive value")
    if precedence > LAST_PRECEDENCE:
        yield invalid("spec.matchingPrecedence", precedence, f"must not be greater than {LAST_PRECEDENCE}")
    if precedence == 1 and name != EXEMPT:
        detail = f"only the schema named '{EXEMPT}' may have matchingPrecedence 1"
        yield invalid("spec.matchingPrecedence", precedence, detail)
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in ("ByNamespace", "ByUser"):
        shown = Struct(Type=method.get("type") or "")
        yield not_supported("spec.distinguisherMethod.type", shown, ("ByNamespace", "ByUser"))
    level = child(spec, "priorityLevelConfiguration").get("name") or ""
    if not level:
        yield required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    for detail in dns1123_subdomain(level) if level else ():
        yield invalid("spec.priorityLevelConfiguration.name", level, detail)
    for index, rule in enumerate(items(spec, "rules")):
        yield from _rule(rule, f"spec.rules[{index}]")
    fixed = MANDATORY_SCHEMAS.get(name)
    if fixed is not None and not same(spec, fixed):
        yield invalid("spec", _go_schema(spec), f"spec of '{name}' must equal the fixed value")


def go_members(obj: Object, **members: Any) -> Struct:
    """An object under Go's names; `members` say what is there when a member is absent."""
    names = {member: _GO_NAMES.get(member, member[0].upper() + member[1:]) for member in members}
    return Struct({name: obj.get(member, members[member]) for member, name in names.items()})


_GO_NAMES = {"apiGroups": "APIGroups"}


def _go_schema(spec: Object) -> Struct:
    level, method = child(spec, "priorityLevelConfiguration"), spec.get("distinguisherMethod")
    return Struct(
        PriorityLevelConfiguration=go_members(level, name=""),
        MatchingPrecedence=spec.get("matchingPrecedence", 0),
        DistinguisherMethod=None if method is None else go_members(method, type=""),
        Rules=[_go_rule(rule) for rule in items(spec, "rules")] or None,
    )


def _go_rule(rule: Object) -> Struct:
    resources = {"verbs": None, "apiGroups": None, "resources": None, "clusterScope": False, "namespaces": None}
    paths = {"verbs": None, "nonResourceURLs": None}
    return Struct(
        Subjects=[_go_subject(subject) for subject in items(rule, "subjects")] or None,
        ResourceRules=[go_members(one, **resources) for one in items(rule, "resourceRules")] or None,
        NonResourceRules=[go_members(one, **paths) for one in items(rule, "nonResourceRules")] or None,
    )


def _go_subject(subject: Object) -> Struct:
    user, group, account = (subject.get(name) for name in ("user", "group", "serviceAccount"))
    return Struct(
        Kind=subject.get("kind") or "",
        User=None if user is None else go_members(user, name=""),
        Group=None if group is None else go_members(group, name=""),
        ServiceAccount=None if account is None else go_members(account, namespace="", name=""),
    )


def _rule(rule: Object, path: str) -> Errors:
    if not items(rule, "subjects"):
        yield required(f"{path}.subjects", "subjects must contain at least one value")
    for index, subject in enumerate(items(rule, "subjects")):
        yield from _subject(subject, f"{path}.subjects[{index}]")
    if not items(rule, "resourceRules") and not items(rule, "nonResourceRules"):
        yield required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for index, part in enumerate(items(rule, "resourceRules")):
        yield from _resource_rule(part, f"{path}.resourceRules[{index}]")
    for index, part in enumerate(items(rule, "nonResourceRules")):
        yield from _path_rule(part, f"{path}.nonResourceRules[{index}]")


def _subject(subject: Object, path: str) -> Errors:
    kinds = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
    kind = subject.get("kind") or ""
    if kind not in kinds:
        yield not_supported(f"{path}.kind", kind, kinds)
        return
    for other, field in kinds.items():
        if other == kind and subject.get(field) is None:
            yield required(f"{path}.{field}", f"{field} is required when subject kind is '{kind}'")
        elif other != kind and subject.get(field) is not None:
            yield forbidden(f"{path}.{field}", f"{field} is forbidden when subject kind is not '{other}'")
    chosen, field = subject.get(kinds[kind]), kinds[kind]
    if chosen is None:
        return
    if not chosen.get("name"):
        yield required(f"{path}.{field}.name")
    elif kind == "ServiceAccount" and chosen["name"] != EVERYTHING:
        yield from text(chosen["name"], f"{path}.{field}.name", dns1123_subdomain)
    if kind == "ServiceAccount":
        namespace = chosen.get("namespace") or ""
        if not namespace:
            yield required(f"{path}.{field}.namespace", "must specify namespace for service account")
        for detail in dns1123_label(namespace) if namespace else ():
            yield invalid(f"{path}.{field}.namespace", namespace, detail)


def _alone(values: list[str], path: str, what: str) -> Errors:
    """The wildcard stands by itself."""
    if EVERYTHING in values and len(values) > 1:
        yield invalid(path, values, f"if '*' is present, must not specify other {what}")


def _verbs(rule: Object, path: str) -> Errors:
    verbs = items(rule, "verbs")
    if not verbs:
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    elif EVERYTHING in verbs:
        yield from _alone(verbs, f"{path}.verbs", "verbs")
    elif any(verb not in VERBS for verb in verbs):
        yield not_supported(f"{path}.verbs", verbs, VERBS)


def _resource_rule(rule: Object, path: str) -> Errors:
    yield from _verbs(rule, path)
    for field, one, many in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        values = items(rule, field)
        if not values:
            yield required(f"{path}.{field}", f"resource rules must supply at least one {one}")
        yield from _alone(values, f"{path}.{field}", many)
    namespaces = items(rule, "namespaces")
    if not namespaces and not rule.get("clusterScope"):
        detail = "resource rules that are not cluster scoped must supply at least one namespace"
        yield required(f"{path}.namespaces", detail)
    elif EVERYTHING in namespaces:
        yield from _alone(namespaces, f"{path}.namespaces", "namespaces")
    else:
        for index, namespace in enumerate(namespaces):
            for detail in dns1123_label(namespace):
                label = f"each member of this list must be '*' or a DNS-1123 label; {detail}"
                yield invalid(f"{path}.namespaces[{index}]", namespace, label)


def _path_rule(rule: Object, path: str) -> Errors:
    yield from _verbs(rule, path)
    urls = items(rule, "nonResourceURLs")
    if not urls:
        yield required(f"{path}.nonResourceURLs", "nonResourceURLs must contain at least one value")
    elif EVERYTHING in urls:
        yield from _alone(urls, f"{path}.nonResourceURLs", "non-resource URLs")
    else:
        for index, url in enumerate(urls):
            for detail in _wrong_url(url):
                yield invalid(f"{path}.nonResourceURLs[{index}]", url, detail)


def _wrong_url(url: str) -> Iterable[str]:
    if not url:
        yield "must not be empty"
    elif not url.startswith("/"):
        yield "must start with slash"
    elif " " in url:
        yield "must not contain white-space"
    elif "//" in url:
        yield "must not contain double slash"
    elif "*" in url.removesuffix("/*"):
        yield "wildcard can only do suffix matching"
