"""Roles and bindings: nobody grants what they do not have, unless `escalate` or `bind` lets them."""

from kybern.apiserver.core.rbac_index import role_of
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Object, Strategy
from kybern.kube.rbac import Attributes, rules_cover
from kybern.kube.status import StatusError, forbidden, not_found

GROUP = "rbac.authorization.k8s.io"
RESOURCE = {"Role": "roles", "ClusterRole": "clusterroles"}


def create_role(request: Request, role: Object) -> None:
    """Check the rules of a new role."""
    _check_role(request, role, role.get("rules") or [])


def update_role(request: Request, new: Object, old: Object) -> None:
    """Unchanged rules need no rights."""
    if (new.get("rules") or []) != (old.get("rules") or []):
        _check_role(request, new, new.get("rules") or [])


def _check_role(request: Request, role: Object, rules: list[Object]) -> None:
    if request.user.is_master or _may(request, "escalate", request.resource, role["metadata"].get("name", "")):
        return
    _cover(request, rules)


def create_binding(request: Request, binding: Object) -> None:
    """Check the rules that a new binding grants."""
    _check_binding(request, binding)


def update_binding(request: Request, new: Object, old: Object) -> None:
    """The role of a binding is fixed; unchanged subjects need no rights."""
    if (new.get("subjects") or []) != (old.get("subjects") or []):
        _check_binding(request, new)


def _check_binding(request: Request, binding: Object) -> None:
    if request.user.is_master or not binding.get("roleRef"):
        return
    kind, namespace, name = role_of(binding)
    if _may(request, "bind", RESOURCE.get(kind, ""), name):
        return
    rules = request.server.authorizer.index.role((kind, namespace, name))
    if rules is None:
        raise not_found(GROUP, RESOURCE.get(kind, kind), name)
    _cover(request, rules)


def _may(request: Request, verb: str, resource: str, name: str) -> bool:
    asked = Attributes(verb, GROUP, resource, "", request.namespace, name)
    return request.server.authorizer.may(request.user, asked)


def _cover(request: Request, rules: list[Object]) -> None:
    owned = list(request.server.authorizer.index.rules(request.user, request.namespace))
    missing = rules_cover(owned, rules)
    if missing:
        raise escalation(request, missing)


def escalation(request: Request, missing: list[Object]) -> StatusError:
    """The refusal, naming what the user lacks."""
    user = request.user
    groups = " ".join(f'"{group}"' for group in user.groups)
    lines = "\n".join(_text(rule) for rule in missing)
    why = f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{lines}'
    return forbidden(GROUP, request.resource, request.name, why)


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
