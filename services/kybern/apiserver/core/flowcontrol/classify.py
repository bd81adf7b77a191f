"""FlowSchemas judged: the first that matches a request, in order of matchingPrecedence and name, decides its flow.

A schema whose priority level does not exist matches nothing. The mandatory schemas and levels are there even when
their objects are not.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.core.user import User
from kybern.kube.rbac import Attributes, includes, path_matches

Object = dict[str, Any]
EVERYTHING = "*"
EXEMPT, CATCH_ALL = "exempt", "catch-all"
MANDATORY = (EXEMPT, CATCH_ALL)
DEFAULT_PRECEDENCE = 1000


@dataclass(frozen=True)
class Schema:
    """What a FlowSchema says."""

    name: str
    uid: str
    level: str
    precedence: int
    distinguisher: str  # "", ByUser or ByNamespace
    rules: Sequence[Object]


def schema(obj: Object) -> Schema:
    """A FlowSchema read."""
    spec = obj.get("spec") or {}
    return Schema(
        obj["metadata"]["name"],
        obj["metadata"].get("uid") or "",
        (spec.get("priorityLevelConfiguration") or {}).get("name") or "",
        spec.get("matchingPrecedence") or DEFAULT_PRECEDENCE,
        (spec.get("distinguisherMethod") or {}).get("type") or "",
        spec.get("rules") or (),
    )


def in_order(objects: Iterable[Object], levels: Mapping[str, Any]) -> list[Schema]:
    """The schemas that count, the one to ask first at the front."""
    found = [schema(obj) for obj in objects]
    return sorted((s for s in found if s.level in levels), key=lambda s: (s.precedence, s.name))


def first_match(schemas: Iterable[Schema], user: User, asked: Attributes) -> Schema | None:
    """The schema of a request."""
    for candidate in schemas:
        if any(rule_matches(rule, user, asked) for rule in candidate.rules):
            return candidate
    return None


def rule_matches(rule: Object, user: User, asked: Attributes) -> bool:
    """Whether one of the subjects asks something of what the rule lists."""
    if not any(subject_matches(subject, user) for subject in rule.get("subjects") or ()):
        return False
    if asked.is_resource_request:
        return any(resource_rule_matches(part, asked) for part in rule.get("resourceRules") or ())
    return any(path_rule_matches(part, asked) for part in rule.get("nonResourceRules") or ())


def subject_matches(subject: Object, user: User) -> bool:
    """User, Group or ServiceAccount; "*" is any name."""
    match subject.get("kind"):
        case "User":
            return (subject.get("user") or {}).get("name") in (EVERYTHING, user.name)
        case "Group":
            name = (subject.get("group") or {}).get("name")
            return name == EVERYTHING or name in user.groups
        case "ServiceAccount":
            wanted, account = subject.get("serviceAccount") or {}, user.service_account
            if account is None or wanted.get("namespace") != account[0]:
                return False
            return wanted.get("name") in (EVERYTHING, account[1])
    return False


def resource_rule_matches(rule: Object, asked: Attributes) -> bool:
    """Verbs, groups, resources ("pods", "pods/status"), and where: a namespace, or the cluster's scope."""
    if not (
        includes(rule.get("verbs"), asked.verb)
        and includes(rule.get("apiGroups"), asked.group)
        and includes(rule.get("resources"), asked.combined_resource)
    ):
        return False
    if not asked.namespace:
        return bool(rule.get("clusterScope"))
    return includes(rule.get("namespaces"), asked.namespace)


def path_rule_matches(rule: Object, asked: Attributes) -> bool:
    """Verbs, and paths as RBAC has them."""
    patterns = rule.get("nonResourceURLs") or ()
    return includes(rule.get("verbs"), asked.verb) and any(path_matches(pattern, asked.path) for pattern in patterns)


def distinguisher(found: Schema, user: User, asked: Attributes) -> str:
    """What sets a flow apart from the other flows of its schema."""
    match found.distinguisher:
        case "ByUser":
            return user.name
        case "ByNamespace":
            return asked.namespace
    return ""


def flow_hash(name: str, flow: str) -> int:
    """64 bits that stand for a flow."""
    return int.from_bytes(hashlib.sha256(f"{name},{flow}".encode()).digest()[:8], "little")
