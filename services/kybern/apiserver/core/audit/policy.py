"""audit.k8s.io/v1 Policy: the first rule that matches a request decides how much of it is recorded.

Without such a rule nothing is. Levels grow: None, Metadata, Request (with the request's object), RequestResponse (with
the answer's).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kybern.apiserver.core.user import User
from kybern.kube.rbac import Attributes, path_matches

Object = dict[str, Any]
API_VERSION = "audit.k8s.io/v1"
LEVELS = ("None", "Metadata", "Request", "RequestResponse")
STAGES = ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")


class PolicyInvalid(Exception):
    """Why a policy cannot be used."""


@dataclass(frozen=True)
class Recorded:
    """What is recorded of a request."""

    level: int
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False

    @property
    def with_request(self) -> bool:
        return self.level >= LEVELS.index("Request")

    @property
    def with_response(self) -> bool:
        return self.level >= LEVELS.index("RequestResponse")


NOTHING = Recorded(0)


@dataclass(frozen=True)
class Policy:
    """A policy that was read; see `read_policy`."""

    rules: Sequence[Object]
    omit_stages: frozenset[str] = frozenset()
    omit_managed_fields: bool = False
    _decided: dict[int, Recorded] = field(default_factory=dict, compare=False)

    def decide(self, user: User, asked: Attributes) -> Recorded:
        """What is recorded of this request."""
        for index, rule in enumerate(self.rules):
            if matches(rule, user, asked):
                if index not in self._decided:
                    self._decided[index] = self._recorded(rule)
                return self._decided[index]
        return NOTHING

    def _recorded(self, rule: Object) -> Recorded:
        omits = rule.get("omitManagedFields")
        return Recorded(
            LEVELS.index(rule["level"]),
            self.omit_stages | frozenset(rule.get("omitStages") or ()),
            self.omit_managed_fields if omits is None else bool(omits),
        )


def read_policy(document: Any) -> Policy:
    """A policy from its document. Raises PolicyInvalid, with every mistake in it."""
    if not isinstance(document, dict):
        raise PolicyInvalid("it is no object")
    errors = []
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, "Policy"):
        errors.append(f"it must be a Policy of {API_VERSION}")
    rules = document.get("rules")
    if not isinstance(rules, list) or not rules:
        errors.append("rules: Required value: a policy without rules records nothing")
        rules = []
    errors += _wrong_stages("omitStages", document.get("omitStages"))
    for index, rule in enumerate(rules):
        errors += _wrong_rule(f"rules[{index}]", rule)
    if errors:
        raise PolicyInvalid("; ".join(errors))
    return Policy(rules, frozenset(document.get("omitStages") or ()), bool(document.get("omitManagedFields")))


def _wrong_stages(path: str, stages: Any) -> list[str]:
    return [f'{path}: Invalid value: "{stage}": unknown stage' for stage in stages or () if stage not in STAGES]


def _wrong_rule(path: str, rule: Any) -> list[str]:
    if not isinstance(rule, dict):
        return [f"{path}: it is no object"]
    errors = _wrong_stages(f"{path}.omitStages", rule.get("omitStages"))
    if rule.get("level") not in LEVELS:
        errors.append(f'{path}.level: Unsupported value: "{rule.get("level") or ""}": supported values: {LEVELS}')
    if rule.get("nonResourceURLs") and (rule.get("resources") or rule.get("namespaces")):
        errors.append(f"{path}: rules cannot apply to both regular resources and non-resource URLs")
    for url in rule.get("nonResourceURLs") or ():
        if url != "*" and ("*" in url[:-1] or not url.startswith("/")):
            errors.append(f'{path}.nonResourceURLs: Invalid value: "{url}": "*" must be its last character')
    for group in rule.get("resources") or ():
        if group.get("resourceNames") and not group.get("resources"):
            errors.append(f"{path}.resources.resourceNames: Invalid value: needs at least one resource")
    return errors


def matches(rule: Object, user: User, asked: Attributes) -> bool:
    """Whether everything that the rule names fits the request."""
    users, groups, verbs = rule.get("users"), rule.get("userGroups"), rule.get("verbs")
    if users and user.name not in users:
        return False
    if groups and not any(group in groups for group in user.groups):
        return False
    if verbs and asked.verb not in verbs:
        return False
    if rule.get("namespaces") or rule.get("resources"):
        return asked.is_resource_request and _resource_matches(rule, asked)
    if rule.get("nonResourceURLs"):
        return not asked.is_resource_request and any(path_matches(url, asked.path) for url in rule["nonResourceURLs"])
    return True


def _resource_matches(rule: Object, asked: Attributes) -> bool:
    namespaces, resources = rule.get("namespaces"), rule.get("resources")
    if namespaces and asked.namespace not in namespaces:
        return False
    return not resources or any(_in_group(group, asked) for group in resources)


def _in_group(group: Object, asked: Attributes) -> bool:
    if (group.get("group") or "") != asked.group:
        return False
    names, resources = group.get("resourceNames"), group.get("resources")
    if not resources:
        return True
    return (not names or asked.name in names) and any(_is_named(pattern, asked) for pattern in resources)


def _is_named(pattern: str, asked: Attributes) -> bool:
    """ "pods", "pods/log", "pods/*" (with its subresources), "*/scale" or "*"."""
    if pattern in ("*", asked.combined_resource):
        return True
    resource, slash, subresource = pattern.partition("/")
    if not slash:
        return False
    return (resource == "*" and bool(asked.subresource) and subresource == asked.subresource) or (
        subresource == "*" and resource == asked.resource
    )
