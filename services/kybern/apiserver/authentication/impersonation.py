"""Impersonation: a user acts as another, if every part of that identity is granted by the verb `impersonate`."""

from collections.abc import Callable

from kybern.apiserver.core.user import (
    ANONYMOUS,
    AUTHENTICATED,
    SERVICE_ACCOUNTS,
    UNAUTHENTICATED,
    User,
)
from kybern.kube.rbac import Attributes
from kybern.kube.status import internal
from kybern.protos.api.v1.objects_pb2 import Impersonation

AUTHENTICATION = "authentication.k8s.io"


def impersonated(user: User, wanted: Impersonation, check: Callable[[User, Attributes], None]) -> User:
    """The identity asked for. `check` raises what the client is told if a part of it is not granted."""
    if not wanted.user:
        raise internal("requested groups, uid or extra without impersonating a user")
    target = User(wanted.user)
    account = target.service_account
    if account:
        check(user, Attributes("impersonate", "", "serviceaccounts", "", account[0], account[1]))
    else:
        check(user, Attributes("impersonate", "", "users", name=wanted.user))
    for group in wanted.groups:
        check(user, Attributes("impersonate", "", "groups", name=group))
    if wanted.uid:
        check(user, Attributes("impersonate", AUTHENTICATION, "uids", name=wanted.uid))
    for key, values in wanted.extra.items():
        for value in values.values:
            check(user, Attributes("impersonate", AUTHENTICATION, "userextras", key, name=value))
    groups = list(wanted.groups)
    if account and not groups:
        groups = [SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{account[0]}"]
    implied = UNAUTHENTICATED if wanted.user == ANONYMOUS else AUTHENTICATED
    if implied not in groups and UNAUTHENTICATED not in groups:
        groups.append(implied)
    extra = {name: tuple(values.values) for name, values in wanted.extra.items()}
    return User(wanted.user, tuple(groups), wanted.uid, extra)
