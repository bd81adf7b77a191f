"""ABAC: a file of policies, one JSON object a line, each allowing somebody something."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from kybern.apiserver.core.user import AUTHENTICATED, User
from kybern.kube.rbac import Attributes, path_matches

Object = dict[str, Any]
VERSION = "abac.authorization.kubernetes.io/v1beta1"
READING = ("get", "list", "watch")


@dataclass(frozen=True)
class Policy:
    """ "" names nothing, "*" everything."""

    user: str = ""
    group: str = ""
    readonly: bool = False
    namespace: str = ""
    resource: str = ""
    api_group: str = ""
    path: str = ""

    def allows(self, user: User, asked: Attributes) -> bool:
        """Whether the policy lets the user do it."""
        if not self._concerns(user) or (self.readonly and asked.verb not in READING):
            return False
        if not asked.is_resource_request:
            return path_matches(self.path, asked.path)
        wanted = ((self.namespace, asked.namespace), (self.resource, asked.resource), (self.api_group, asked.group))
        return all(given in ("*", value) for given, value in wanted)

    def _concerns(self, user: User) -> bool:
        if self.user not in ("", "*", user.name):
            return False
        if self.group and self.group != "*" and self.group not in user.groups:
            return False
        return bool(self.user or self.group)


class AbacAuthorizer:
    """One policy that allows is enough."""

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        self._policies = policies

    def may(self, user: User, asked: Attributes) -> bool:
        """Whether any policy lets the user do it."""
        return any(policy.allows(user, asked) for policy in self._policies)


def read_policies(path: Path) -> tuple[Policy, ...]:
    """Raises OSError, ValueError with the line."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            found.append(_policy(orjson.loads(text)))
        except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
            raise ValueError(f"line {number}: {error}") from None
    return tuple(found)


def _policy(raw: Object) -> Policy:
    if raw.get("apiVersion") or raw.get("kind"):
        if (raw.get("apiVersion"), raw.get("kind")) != (VERSION, "Policy"):
            raise TypeError(f"{raw.get('apiVersion')}, Kind={raw.get('kind')} is no policy of {VERSION}")
        spec = raw.get("spec") or {}
        return Policy(
            spec.get("user") or "", spec.get("group") or "", bool(spec.get("readonly")), spec.get("namespace") or "",
            spec.get("resource") or "", spec.get("apiGroup") or "", spec.get("nonResourcePath") or "",
        )  # fmt: skip
    return _old_policy(raw)


def _old_policy(raw: Object) -> Policy:
    """A line of before there were versions: what it leaves out it allows."""
    user, group = raw.get("user") or "", raw.get("group") or ""
    if "*" in (user, group) or not (user or group):
        user, group = "", AUTHENTICATED
    namespace, resource = raw.get("namespace") or "", raw.get("resource") or ""
    path = "*" if not namespace and not resource else ""
    return Policy(user, group, bool(raw.get("readonly")), namespace or "*", resource or "*", "*", path)
