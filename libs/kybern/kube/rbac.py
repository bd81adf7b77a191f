"""RBAC rule matching: does a set of policy rules allow what a request asks; does a subject name this user.

The authorizer gathers bindings and roles, this module judges them. Upstream's rules: "*" matches every verb, group,
resource or path; "*/scale" a subresource of any resource; resourceNames limit a rule to requests that name an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kybern.kube.selected import Selected

SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request asks to do. `path` is set, and the resource fields empty, for a non-resource request."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: Selected = ()  # what a list, watch or deletecollection is limited to
    labels: Selected = ()
    version: str = ""  # of the API, for those who are told of it; no rule looks at it

    @property
    def is_resource_request(self) -> bool:
        return bool(self.resource)

    @property
    def combined_resource(self) -> str:
        """ "pods" or "pods/log"."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def rules_allow(rules: Iterable[Mapping[str, Any]] | None, attributes: Attributes) -> bool:
    return any(rule_allows(rule, attributes) for rule in rules or ())


def rule_allows(rule: Mapping[str, Any], attributes: Attributes) -> bool:
    if not includes(rule.get("verbs"), attributes.verb):
        return False
    if not attributes.is_resource_request:
        return any(path_matches(pattern, attributes.path) for pattern in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        includes(rule.get("apiGroups"), attributes.group)
        and any(_resource_matches(pattern, attributes) for pattern in rule.get("resources") or ())
        and (not names or attributes.name in names)
    )


def includes(values: Sequence[str] | None, wanted: str) -> bool:
    """Whether a list of verbs, groups or resources has one; "*" has all."""
    return values is not None and ("*" in values or wanted in values)


def _resource_matches(pattern: str, attributes: Attributes) -> bool:
    """ "*" covers subresources too; "pods" does not cover "pods/log", and "pods/*" covers nothing, as upstream."""
    if pattern in ("*", attributes.combined_resource):
        return True
    return bool(attributes.subresource) and pattern == f"*/{attributes.subresource}"


def path_matches(pattern: str, path: str) -> bool:
    """A path is matched whole, or as what follows a prefix that ends in "*"."""
    if pattern in ("*", path):
        return True
    return pattern.endswith("*") and path.startswith(pattern.rstrip("*"))


def subject_matches(subject: Mapping[str, Any], user: str, groups: Iterable[str], binding_namespace: str = "") -> bool:
    """Whether a binding's subject is this user, one of these groups, or this service account."""
    subject_name = subject.get("name") or ""
    match subject.get("kind"):
        case "User":
            return bool(user == subject_name)
        case "Group":
            return subject_name in groups
        case "ServiceAccount":
            namespace = subject.get("namespace") or binding_namespace
            return bool(namespace) and user == f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{subject_name}"
    return False


def subjects_match(
    subjects: Iterable[Mapping[str, Any]] | None, user: str, groups: Iterable[str], binding_namespace: str = ""
) -> bool:
    known = frozenset(groups)
    return any(subject_matches(subject, user, known, binding_namespace) for subject in subjects or ())


def rules_cover(owned: Sequence[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The parts of `wanted` that `owned` does not grant: upstream's escalation check. Verbs of one resource (and name)
    are together in one rule, all else is single-valued."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    missing = (part for rule in wanted for part in _breakdown(rule) if not any(_covers(own, part) for own in owned))
    for number, part in enumerate(missing):
        if "nonResourceURLs" in part:
            found[str(number),] = part
            continue
        key = (part["apiGroups"][0], part["resources"][0], *part.get("resourceNames", ()))
        if key in found:
            found[key]["verbs"] += part["verbs"]
        else:
            found[key] = part
    return list(found.values())


def _breakdown(rule: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for verb in rule.get("verbs") or ():
        for url in rule.get("nonResourceURLs") or ():
            yield {"verbs": [verb], "nonResourceURLs": [url]}
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                base = {"apiGroups": [group], "resources": [resource]}
                names = rule.get("resourceNames")
                for name in names or (None,):
                    yield (
                        {**base, "verbs": [verb]}
                        if name is None
                        else {**base, "verbs": [verb], "resourceNames": [name]}
                    )


def _covers(own: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    if not includes(own.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        return any(path_matches(pattern, part["nonResourceURLs"][0]) for pattern in own.get("nonResourceURLs") or ())
    resource, _, subresource = part["resources"][0].partition("/")
    attributes = Attributes(verb="", resource=resource, subresource=subresource)
    names = own.get("resourceNames") or ()
    return (
        includes(own.get("apiGroups"), part["apiGroups"][0])
        and any(_resource_matches(pattern, attributes) for pattern in own.get("resources") or ())
        and (not names or (part.get("resourceNames") or [None])[0] in names)
    )
