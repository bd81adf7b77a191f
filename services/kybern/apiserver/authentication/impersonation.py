"""Impersonation: a user acts as another, if every part of that identity is granted.

Constrained impersonation comes first: each mode has a verb of its own for identities (`impersonate:user-info`) and one
for what may be done with them (`impersonate-on:user-info:list`). The verb `impersonate`, which grants everything the
other may do, is asked last. The mode that a user was granted before is tried first; the first refusal is told.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kybern.apiserver.authorization.refusal import forbidden
from kybern.apiserver.core.user import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    NODE_PREFIX,
    NODES,
    SERVICE_ACCOUNTS,
    UNAUTHENTICATED,
    User,
)
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError, bad_request
from kybern.protos.api.v1.objects_pb2 import Impersonation

AUTHENTICATION = "authentication.k8s.io"
NODE_NAME = "authentication.kubernetes.io/node-name"
LEGACY = "impersonate"
REMEMBERED = 4096  # users
DOMAIN_PREFIXED = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/.+")
Check = Callable[[User, Attributes], None]


@dataclass(frozen=True)
class Granted:
    """Whom a user acts as; `mode` is the constraint that this was granted under, "" if none."""

    user: User
    mode: str


class Impersonator:
    """`impersonated` with a memory of the modes that were granted."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._last: dict[User, str] = {}

    def impersonated(self, user: User, wanted: Impersonation, asked: Attributes | None) -> Granted:
        """`asked`: what is to be done as the other. Raises StatusError (400, 403), MustWait."""
        if not wanted.user:
            raise bad_request(f"requested {_go(wanted)} without impersonating a user name")
        target, last = User(wanted.user), self._last.get(user, "")
        refused: StatusError | None = None
        modes = [*_modes(user, target, wanted)] if asked is not None else [LEGACY]
        for mode in sorted(modes, key=lambda one: one != last):
            try:
                if mode == LEGACY:
                    self._identities(user, target, wanted, LEGACY)
                else:
                    assert asked is not None
                    self._check(user, replace(asked, verb=f"impersonate-on:{mode}:{asked.verb}"))
                    self._identities(user, target, wanted, mode)
            except StatusError as error:
                refused = refused or error
                continue
            if len(self._last) >= REMEMBERED:
                self._last.clear()
            self._last[user] = mode
            return Granted(_identity(target, wanted, mode), "" if mode == LEGACY else f"impersonate:{mode}")
        assert refused is not None
        raise refused

    def _identities(self, user: User, target: User, wanted: Impersonation, mode: str) -> None:
        for one in _parts(target, wanted, mode):
            if mode == "user-info":
                _never(user, one)
            self._check(user, one)


def _modes(user: User, target: User, wanted: Impersonation) -> Iterator[str]:
    """What could be granted, in order; nodes and service accounts are what their names say and nothing else."""
    more = bool(wanted.groups or wanted.uid or wanted.extra)
    node = _node(target)
    if node:
        if not more and user.extra.get(NODE_NAME) == (node,):
            yield "associated-node"
        if not more:
            yield "arbitrary-node"
    elif target.service_account:
        if not more:
            yield "serviceaccount"
    else:
        yield "user-info"
    yield LEGACY


def _parts(target: User, wanted: Impersonation, mode: str) -> Iterator[Attributes]:
    """Each part of an identity, as what has to be granted."""
    legacy = mode == LEGACY
    verb, group = (LEGACY, "") if legacy else (f"impersonate:{mode}", AUTHENTICATION)
    account, node = target.service_account, _node(target)
    if mode in ("arbitrary-node", "associated-node"):
        yield Attributes(verb, group, "nodes", name=node if mode == "arbitrary-node" else "*")
        return
    if account and mode != "user-info":
        yield Attributes(verb, group, "serviceaccounts", "", account[0], account[1])
    else:
        yield Attributes(verb, group, "users", name=target.name)
    if wanted.uid:
        yield Attributes(verb, AUTHENTICATION, "uids", name=wanted.uid)
    for name in wanted.groups:
        yield Attributes(verb, group, "groups", name=name)
    for key, values in wanted.extra.items():
        for value in values.values:
            yield Attributes(verb, AUTHENTICATION, "userextras", key, name=value)


def _never(user: User, part: Attributes) -> None:
    """What no grant covers. Raises StatusError (403)."""
    if part.resource == "groups" and part.name == MASTERS:
        raise forbidden(user, part, f"impersonating the {MASTERS} group is not allowed")
    key = part.subresource
    if part.resource == "userextras" and not DOMAIN_PREFIXED.fullmatch(key):
        why = f'extra.key: Invalid value: "{key}": must be a domain-prefixed path (such as "acme.io/foo")'
        bare = replace(part, subresource="", name="")
        raise forbidden(user, bare, f"impersonating an invalid key in extra is not allowed: {why}")


def _node(target: User) -> str:
    return target.name.removeprefix(NODE_PREFIX) if target.name.startswith(NODE_PREFIX) else ""


def _identity(target: User, wanted: Impersonation, mode: str) -> User:
    account, groups = target.service_account, list(wanted.groups)
    if mode in ("arbitrary-node", "associated-node"):
        groups = [NODES]
    elif account and not groups:
        groups = [SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{account[0]}"]
    implied = UNAUTHENTICATED if target.name == ANONYMOUS else AUTHENTICATED
    if implied not in groups and UNAUTHENTICATED not in groups:
        groups.append(implied)
    extra = {name: tuple(values.values) for name, values in wanted.extra.items()}
    return User(target.name, tuple(groups), wanted.uid, extra)


def _go(wanted: Impersonation) -> str:
    """A user as Kubernetes prints one."""
    groups = f"{{{', '.join(map(_quoted, wanted.groups))}}}" if wanted.groups else "(nil)"
    extra = "(nil)"
    if wanted.extra:
        items = sorted((name, [*values.values]) for name, values in wanted.extra.items())
        shown = (f"{_quoted(name)}:[]string{{{', '.join(map(_quoted, values))}}}" for name, values in items)
        extra = f"{{{', '.join(shown)}}}"
    parts = f'Name:"", UID:{_quoted(wanted.uid)}, Groups:[]string{groups}, Extra:map[string][]string{extra}'
    return f"&user.DefaultInfo{{{parts}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
