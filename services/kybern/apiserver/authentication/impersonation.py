"""Impersonation: a user acts as another, if every part of that identity is granted.

Constrained impersonation comes first: each mode has a verb of its own for identities (`impersonate:user-info`) and one
for what may be done with them (`impersonate-on:user-info:list`). The verb `impersonate`, which grants everything the
other may do, is asked last. The mode that a user was granted before is tried first; the first refusal is told.
"""

from collections.abc import Callable, Iterator, Sequence
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
from kybern.kube.go_values import quoted
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError, bad_request
from kybern.kube.validation.domain_paths import domain_prefixed_path
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain
from kybern.protos.api.v1.objects_pb2 import Impersonation

AUTHENTICATION = "authentication.k8s.io"
NODE_NAME = "authentication.kubernetes.io/node-name"
LEGACY, V1 = "impersonate", "v1"
REMEMBERED = 4096  # users
MANY = 4  # parts of a kind
NODE_MODES = ("arbitrary-node", "associated-node")
Check = Callable[[User, Attributes], None]


@dataclass(frozen=True)
class Granted:
    """Whom a user acts as; `mode` is the constraint that this was granted under, "" if none."""

    user: User
    mode: str


class Impersonator:
    """`impersonated` with a memory of the modes that were granted."""

    def __init__(self, check: Check) -> None:
        self._judge = check
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

    def _check(self, user: User, asked: Attributes) -> None:
        """Raises StatusError (403), also where nobody could say."""
        try:
            self._judge(user, asked)
        except StatusError as error:
            if error.code != 500:
                raise
            raise forbidden(user, asked, error.message.removeprefix("Internal Server Error: ")) from None

    def _identities(self, user: User, target: User, wanted: Impersonation, mode: str) -> None:
        """Raises StatusError for the first part of an identity that is not granted."""
        verb = LEGACY if mode == LEGACY else f"impersonate:{mode}"
        self._check(user, _named(target, mode, verb))
        if wanted.uid:
            self._check(user, Attributes(verb, AUTHENTICATION, "uids", name=wanted.uid, version=V1))
        groups = Attributes(verb, "" if mode == LEGACY else AUTHENTICATION, "groups", version=V1)
        facts = Attributes(verb, AUTHENTICATION, "userextras", version=V1)
        if mode != LEGACY:
            never_granted(user, groups, facts, wanted)
        extra = {key: values.values for key, values in wanted.extra.items()}
        self._each(user, replace(groups, name="*"), [replace(groups, name=name) for name in wanted.groups], mode)
        every = replace(facts, subresource="*", name="*")
        each = [replace(facts, subresource=key, name=value) for key, values in extra.items() for value in values]
        self._each(user, every, each, mode)

    def _each(self, user: User, every: Attributes, each: list[Attributes], mode: str) -> None:
        """Of many parts of a kind it is asked first whether all are granted."""
        if mode != LEGACY and len(each) >= MANY:
            try:
                self._check(user, every)
            except StatusError:
                pass
            else:
                return
        for one in each:
            self._check(user, one)


def _modes(user: User, target: User, wanted: Impersonation) -> Iterator[str]:
    """What could be granted, in order; nodes and service accounts are what their names say and nothing else."""
    more = bool(wanted.groups or wanted.uid or wanted.extra)
    node = _node(target)
    if node:
        if not more and service_account(user) and user.extra.get(NODE_NAME) == (node,):
            yield "associated-node"
        if not more:
            yield "arbitrary-node"
    elif service_account(target):
        if not more:
            yield "serviceaccount"
    else:
        yield "user-info"
    yield LEGACY


def _named(target: User, mode: str, verb: str) -> Attributes:
    """The name, as what has to be granted."""
    account, group = service_account(target), "" if mode == LEGACY else AUTHENTICATION
    if mode in NODE_MODES:
        return Attributes(verb, group, "nodes", name=_node(target) if mode == "arbitrary-node" else "*", version=V1)
    if account:
        return Attributes(verb, group, "serviceaccounts", "", account[0], account[1], version=V1)
    return Attributes(verb, group, "users", name=target.name, version=V1)


def never_granted(user: User, groups: Attributes, facts: Attributes, wanted: Impersonation) -> None:
    """What no constrained grant covers. Raises StatusError (403)."""
    if "" in wanted.groups:
        raise forbidden(user, groups, "impersonating the empty string group is not allowed")
    if MASTERS in wanted.groups:
        raise forbidden(user, replace(groups, name=MASTERS), f"impersonating the {MASTERS} group is not allowed")
    for key, values in wanted.extra.items():
        if why := _bad_fact(key, values.values):
            raise forbidden(user, facts, f"impersonating {why}")


def _bad_fact(key: str, values: Sequence[str]) -> str:
    if not key:
        return "the empty string key in extra is not allowed"
    problems = [str(problem) for problem in domain_prefixed_path("extra.key", key)]
    if problems:
        told = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        return f"an invalid key in extra is not allowed: {told}"
    if key != key.lower():
        return f"a non-lowercase key in extra is not allowed: {quoted(key)}"
    return "the empty string value in extra is not allowed" if "" in values else ""


def service_account(target: User) -> tuple[str, str] | None:
    """(namespace, name) in the user name of a service account whose parts are names."""
    account = target.service_account
    if account is None or dns1123_label(account[0]) or dns1123_subdomain(account[1]):
        return None
    return account


def _node(target: User) -> str:
    """The node in its agent's user name, "" if that is none."""
    name = target.name.removeprefix(NODE_PREFIX) if target.name.startswith(NODE_PREFIX) else ""
    return "" if dns1123_subdomain(name) else name


def _identity(target: User, wanted: Impersonation, mode: str) -> User:
    account, groups = service_account(target), list(wanted.groups)
    if mode in NODE_MODES:
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
    groups = f"{{{', '.join(map(quoted, wanted.groups))}}}" if wanted.groups else "(nil)"
    extra = "(nil)"
    if wanted.extra:
        items = sorted((name, [*values.values]) for name, values in wanted.extra.items())
        shown = (f"{quoted(name)}:[]string{{{', '.join(map(quoted, values))}}}" for name, values in items)
        extra = f"{{{', '.join(shown)}}}"
    parts = f'Name:"", UID:{quoted(wanted.uid)}, Groups:[]string{groups}, Extra:map[string][]string{extra}'
    return f"&user.DefaultInfo{{{parts}}}"
