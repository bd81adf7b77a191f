"""Roles and bindings: nobody grants what they do not have, unless `escalate` or `bind` lets them."""

from kybern.apiserver.core.rbac_index import role_of
from kybern.apiserver.core.user import User
from kybern.apiserver.registry.metadata import check_key
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube.rbac import Attributes, rules_cover
from kybern.kube.status import StatusError, bad_request, forbidden, not_found, status_error

GROUP = "rbac.authorization.k8s.io"
RESOURCE = {"Role": "roles", "ClusterRole": "clusterroles"}
_OF_COLLECTOR = ("finalizers", "ownerReferences")
_OF_SERVER = ("uid", "creationTimestamp", "resourceVersion", "generation")
_EVERYTHING: list[Object] = [
    {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    {"verbs": ["*"], "nonResourceURLs": ["*"]},
]


def create_role(request: Request, role: Object) -> None:
    """Check the rules of a new role."""
    _check_role(request, role, role.get("aggregationRule"))


def update_role(request: Request, new: Object, old: Object) -> None:
    """Check all rules, whatever is changed; but the garbage collector may do its work."""
    if not _collecting(request, new, old):
        _check_role(request, new, new.get("aggregationRule") or old.get("aggregationRule"))


def _check_role(request: Request, role: Object, aggregation: Object | None) -> None:
    named = "" if request.verb == "create" else request.name  # who creates may not be told by name
    asked = Attributes("escalate", GROUP, request.resource, "", request.namespace, named)
    if request.user.is_master or request.server.authorizer.may(request.user, asked):
        return
    _cover(request, role.get("rules") or [])
    selects = bool((aggregation or {}).get("clusterRoleSelectors"))
    if selects and rules_cover(_owned(request), _EVERYTHING):
        why = "must have cluster-admin privileges to use the aggregationRule"
        raise forbidden(GROUP, request.resource, request.name, why)


def create_binding(request: Request, binding: Object) -> None:
    """Check the rules that a new binding grants."""
    _check_binding(request, binding)


def update_binding(request: Request, new: Object, old: Object) -> None:
    """Check the rules of the role, whatever is changed; but the garbage collector may do its work."""
    if not _collecting(request, new, old):
        _check_binding(request, new)


def _check_binding(request: Request, binding: Object) -> None:
    if request.user.is_master:
        return
    kind, _, name = role_of(binding)
    group = binding["roleRef"].get("apiGroup") or ""
    resource = RESOURCE.get(kind)
    if resource is not None:
        asked = Attributes("bind", group, resource, "", request.namespace, name)
        if request.server.authorizer.may(request.user, asked):
            return
    _cover(request, _rules_of(request, binding))


def _rules_of(request: Request, binding: Object) -> list[Object]:
    """The rules of the role that is bound. Raises StatusError, with upstream's answer to a role that cannot be."""
    kind, namespace, name = role_of(binding)
    if kind not in RESOURCE:
        raise status_error(400, "", f'unsupported role reference kind: "{kind}"')
    if kind == "Role" and not namespace:
        raise bad_request("Namespace parameter required.")
    check_key(name)
    rules = request.server.authorizer.index.role((kind, namespace, name))
    if rules is None:
        raise not_found(GROUP, request.resource, name)
    return rules


def _collecting(request: Request, new: Object, old: Object) -> bool:
    """Whether a change concerns the garbage collector alone; who replaces all but what the server knows does more."""
    sent = old["metadata"] if request.sent_metadata is None else request.sent_metadata
    if any(sent.get(member) != old["metadata"].get(member) for member in _OF_SERVER):
        return False
    before, after = ({**one, "metadata": _beyond_collector(one["metadata"])} for one in (old, new))
    return before == after


def _beyond_collector(metadata: Object) -> Object:
    left = (*_OF_COLLECTOR, "managedFields", "resourceVersion")
    return {member: value for member, value in metadata.items() if member not in left}


def _owned(request: Request) -> list[Object]:
    return list(request.server.authorizer.index.rules(request.user, request.namespace))


def _cover(request: Request, rules: list[Object]) -> None:
    missing = rules_cover(_owned(request), rules)
    if missing:
        raise escalation(request, missing)


def escalation(request: Request, missing: list[Object]) -> StatusError:
    """The refusal, naming what the user lacks, and roles of theirs that are not there."""
    user = request.user
    groups = " ".join(f'"{group}"' for group in user.groups)
    lines = "\n".join(sorted({_text(rule) for rule in missing}))
    why = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{lines}'
    return forbidden(GROUP, request.resource, request.name, why + _unresolved(request, user))


def _unresolved(request: Request, user: User) -> str:
    gone = request.server.authorizer.index.missing(user, request.namespace)
    errors = [not_found(GROUP, RESOURCE.get(kind, kind), name).message for kind, _, name in gone]
    return f"; resolution errors: [{', '.join(errors)}]" if errors else ""


def _text(rule: Object) -> str:
    names = (("apiGroups", "APIGroups"), ("resources", "Resources"), ("resourceNames", "ResourceNames"),
             ("nonResourceURLs", "NonResourceURLs"), ("verbs", "Verbs"))  # fmt: skip
    parts = [f"{shown}:[{' '.join(_quoted(v) for v in rule[member])}]" for member, shown in names if rule.get(member)]
    return "{" + ", ".join(parts) + "}"


def _quoted(value: str) -> str:
    return f'"{value}"'


ROLES = Strategy(prepare_create=(create_role,), prepare_update=(update_role,), create_on_update=True)
BINDINGS = Strategy(prepare_create=(create_binding,), prepare_update=(update_binding,), create_on_update=True)
RBAC = {
    (GROUP, "roles"): ROLES,
    (GROUP, "clusterroles"): ROLES,
    (GROUP, "rolebindings"): BINDINGS,
    (GROUP, "clusterrolebindings"): BINDINGS,
}
