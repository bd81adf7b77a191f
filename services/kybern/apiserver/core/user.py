"""User: who makes a request, after authentication."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
MASTERS = "system:masters"
NODES = "system:nodes"
NODE_PREFIX = "system:node:"
SERVICE_ACCOUNTS = "system:serviceaccounts"
SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """A name, its groups, and what else the authenticator knows. Hash and equality are by name, uid and groups."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups

    @property
    def node(self) -> str:
        """The node this user is the agent of, or ""."""
        if NODES in self.groups and self.name.startswith(NODE_PREFIX):
            return self.name.removeprefix(NODE_PREFIX)
        return ""

    @property
    def is_nameless_node(self) -> bool:
        """Whether the user is a node's agent by its groups, but does not say of which node."""
        return self.name == NODE_PREFIX and NODES in self.groups

    @property
    def service_account(self) -> tuple[str, str] | None:
        """(namespace, name) if the user is a service account."""
        if not self.name.startswith(SERVICE_ACCOUNT_PREFIX):
            return None
        namespace, _, name = self.name.removeprefix(SERVICE_ACCOUNT_PREFIX).partition(":")
        return (namespace, name) if namespace and name and ":" not in name else None


ANONYMOUS_USER = User(ANONYMOUS, (UNAUTHENTICATED,))
APISERVER = User("system:apiserver", (MASTERS,))  # what this server does of its own accord


def authenticated(user: User) -> User:
    """The user with system:authenticated among its groups; anonymous stays what it is."""
    if user.name == ANONYMOUS or AUTHENTICATED in user.groups or UNAUTHENTICATED in user.groups:
        return user
    return User(user.name, (*user.groups, AUTHENTICATED), user.uid, user.extra)


def user_info(user: User) -> dict[str, Any]:
    """The user as authentication.k8s.io/v1 UserInfo."""
    info: dict[str, Any] = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {name: list(values) for name, values in user.extra.items()}
    return info
