"""The RBAC authorizer: what a user's roles say.

Answers are remembered per user and request shape until a role or binding changes. Answers that depend on the object's
name (resourceNames) are not.
"""

from collections.abc import Callable
from dataclasses import replace

from kybern.apiserver.core.rbac_index import RbacIndex
from kybern.apiserver.core.user import User
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.entry import CacheEvent
from kybern.kube.rbac import Attributes, rules_allow

REMEMBERED = 50_000
GROUP = "rbac.authorization.k8s.io"
RESOURCES = ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
Shape = tuple[str, str, str, str, str]


class RbacAuthorizer:
    """Answers `may`."""

    def __init__(self) -> None:
        self.index = RbacIndex()
        self._seen = 0
        self._answers: dict[tuple[User, Shape], bool] = {}

    def follow(self, cachers: Callable[[str, str], Cacher]) -> None:
        """Read the RBAC objects from their caches and keep up with them."""
        for resource in RESOURCES:
            cacher = cachers(GROUP, resource)
            for entry in cacher.entries.values():
                self.index.put(entry.decode())
            cacher.listeners.append(self._changed)

    def _changed(self, event: CacheEvent) -> None:
        obj = event.entry.decode()
        if event.deleted:
            self.index.delete(obj["kind"], event.entry.namespace, event.entry.name)
        else:
            self.index.put(obj)

    def may(self, user: User, asked: Attributes) -> bool:
        """Whether the user may do it."""
        if self._seen != self.index.version or len(self._answers) > REMEMBERED:
            self._answers.clear()
            self._seen = self.index.version
        shape = (asked.verb, asked.group, asked.resource, asked.subresource, asked.namespace)
        if not asked.resource:
            shape = (asked.verb, "", "", "", asked.path)
        known = self._answers.get((user, shape))
        if known is None:
            any_name = replace(asked, name="") if asked.name else asked
            known = rules_allow(self.index.rules(user, asked.namespace), any_name)
            self._answers[(user, shape)] = known
        if known or not asked.name:
            return known
        return rules_allow(self.index.rules(user, asked.namespace), asked)
