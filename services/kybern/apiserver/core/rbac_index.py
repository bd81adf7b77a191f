"""RbacIndex: roles and bindings kept by subject, so that a check costs the rules of the asker, not those of all.

Changed one object at a time by `put` and `delete`; `version` grows with each change and tells caches to forget.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.core.user import SERVICE_ACCOUNT_PREFIX, User
from kybern.kube.rbac import Attributes, rules_allow

Object = Mapping[str, Any]
Key = tuple[str, str, str]  # kind, namespace, name
Rules = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Grant:
    """What a binding gives to a subject: the rules of a role, in a namespace ("" = everywhere)."""

    namespace: str
    role: Key


class RbacIndex:
    """All Roles, ClusterRoles, RoleBindings and ClusterRoleBindings."""

    def __init__(self) -> None:
        self.version = 0
        self._roles: dict[Key, Rules] = {}
        self._grants: dict[tuple[str, str], dict[Key, Grant]] = {}
        self._subjects: dict[Key, set[tuple[str, str]]] = {}

    def put(self, obj: Object) -> None:
        """Add or replace a role or binding."""
        meta = obj["metadata"]
        key = (obj["kind"], meta.get("namespace") or "", meta["name"])
        self.version += 1
        if "roleRef" not in obj:
            self._roles[key] = list(obj.get("rules") or ())
            return
        self._forget(key)
        grant = Grant(key[1], role_of(obj))
        subjects = {found for subject in obj.get("subjects") or () if (found := _subject(subject, key[1]))}
        for found in subjects:
            self._grants.setdefault(found, {})[key] = grant
        self._subjects[key] = subjects

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Remove a role or binding."""
        self.version += 1
        self._roles.pop((kind, namespace, name), None)
        self._forget((kind, namespace, name))

    def _forget(self, key: Key) -> None:
        for subject in self._subjects.pop(key, ()):
            grants = self._grants[subject]
            grants.pop(key, None)
            if not grants:
                del self._grants[subject]

    def role(self, key: Key) -> Rules | None:
        """The rules of a role, or None if there is no such role."""
        return self._roles.get(key)

    def grants(self, user: User) -> Iterator[Grant]:
        """Everything bound to the user or one of its groups: what counts everywhere first, each binding once."""
        found: dict[Key, Grant] = dict(self._grants.get(("User", user.name), {}))
        for group in user.groups:
            found.update(self._grants.get(("Group", group), {}))
        yield from (grant for grant in found.values() if not grant.namespace)
        yield from (grant for grant in found.values() if grant.namespace)

    def explain(self, user: User, asked: Attributes) -> str:
        """Which binding allows it, in upstream's words; "" if none does."""
        subjects = [("User", user.name), *(("Group", group) for group in user.groups)]
        for kind, name in subjects:
            for binding, grant in self._grants.get((kind, name), {}).items():
                if grant.namespace and grant.namespace != asked.namespace:
                    continue
                if rules_allow(self._roles.get(grant.role), asked):
                    shown = f"{binding[2]}/{binding[1]}" if binding[1] else binding[2]
                    role = f'{grant.role[0]} "{grant.role[2]}"'
                    return f'RBAC: allowed by {binding[0]} "{shown}" of {role} to {_shown(kind, name)}'
        return ""

    def rules(self, user: User, namespace: str) -> Iterator[dict[str, Any]]:
        """The rules the user has in a namespace ("" = cluster scope)."""
        for grant in self.grants(user):
            if not grant.namespace or grant.namespace == namespace:
                yield from self._roles.get(grant.role, ())

    def missing(self, user: User, namespace: str) -> list[Key]:
        """Roles that are bound to the user there, but do not exist."""
        keys = (grant.role for grant in self.grants(user) if not grant.namespace or grant.namespace == namespace)
        return [key for key in keys if key not in self._roles]


def role_of(binding: Object) -> Key:
    """The role that a binding refers to."""
    ref = binding["roleRef"]
    kind = ref.get("kind") or ""
    namespace = (binding["metadata"].get("namespace") or "") if kind == "Role" else ""
    return kind, namespace, ref.get("name") or ""


def _shown(kind: str, name: str) -> str:
    account = User(name).service_account if kind == "User" else None
    return f'ServiceAccount "{account[1]}/{account[0]}"' if account else f'{kind} "{name}"'


def _subject(subject: Mapping[str, Any], binding_namespace: str) -> tuple[str, str] | None:
    name = subject.get("name") or ""
    match subject.get("kind"):
        case "User" | "Group" as kind:
            return kind, name
        case "ServiceAccount":
            namespace = subject.get("namespace") or binding_namespace
            return ("User", f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}") if namespace else None
    return None
