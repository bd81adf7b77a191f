"""The RBAC index answers as reading all roles and bindings each time would."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.core.rbac_index import RbacIndex, role_of
from kybern.apiserver.core.user import User
from kybern.kube.rbac import subjects_match

NAMES, NAMESPACES = st.sampled_from("ab"), st.sampled_from(["x", "y"])
Objects = dict[tuple[str, str, str], dict[str, Any]]


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, str, str, dict[str, Any] | None]:
    kind = draw(st.sampled_from(["Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]))
    namespace = "" if kind.startswith("Cluster") else draw(NAMESPACES)
    name = draw(NAMES)
    obj: dict[str, Any] = {"kind": kind, "metadata": {"name": name, "namespace": namespace}}
    if draw(st.booleans()) and draw(st.booleans()):
        return kind, namespace, name, None
    if kind.endswith("Role"):
        obj["rules"] = [{"verbs": [draw(st.sampled_from(["get", "list"]))], "apiGroups": [""], "resources": ["pods"]}]
    else:
        target = "ClusterRole" if kind == "ClusterRoleBinding" else draw(st.sampled_from(["Role", "ClusterRole"]))
        obj["roleRef"] = {"kind": target, "name": draw(NAMES)}
        obj["subjects"] = draw(
            st.lists(
                st.sampled_from(
                    [
                        {"kind": "User", "name": "u"},
                        {"kind": "Group", "name": "g"},
                        {"kind": "ServiceAccount", "name": "sa", "namespace": "x"},
                        {"kind": "ServiceAccount", "name": "sa"},
                    ]
                ),
                max_size=2,
            )
        )
    return kind, namespace, name, obj


def dumb_rules(objects: Objects, user: User, namespace: str) -> list[Any]:
    found = []
    for obj in objects.values():
        if "roleRef" not in obj:
            continue
        own = obj["metadata"]["namespace"]
        if own not in ("", namespace) or not subjects_match(obj["subjects"], user.name, user.groups, own):
            continue
        role = objects.get(role_of(obj))
        found += role["rules"] if role else []
    return found


@given(st.lists(changes(), max_size=20))
def test_against_a_dumb_model(steps: list[Any]) -> None:
    index, objects = RbacIndex(), {}
    users = [User("u"), User("v", ("g",)), User("system:serviceaccount:x:sa"), User("u", ("g",))]
    for kind, namespace, name, obj in steps:
        before = index.version
        if obj is None:
            objects.pop((kind, namespace, name), None)
            index.delete(kind, namespace, name)
        else:
            objects[kind, namespace, name] = obj
            index.put(obj)
        assert index.version > before
        for user in users:
            for where in ("", "x", "y"):
                have = {str(rule) for rule in index.rules(user, where)}
                assert have == {str(rule) for rule in dumb_rules(objects, user, where)}
