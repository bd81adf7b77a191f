"""How a refusal is worded."""

from dataclasses import dataclass
from html import escape

from kybern.apiserver.core.user import User
from kybern.kube import status as statuses
from kybern.kube.go_values import quoted
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError


@dataclass(frozen=True)
class Denied:
    """An authorizer's no, with its reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


def forbidden(user: User, asked: Attributes, reason: str = "") -> StatusError:
    """The refusal as a client reads it: no browser takes it for HTML."""
    who = f"User {quoted(user.name)} cannot {asked.verb}"
    if asked.is_resource_request:
        what = f"resource {quoted(asked.combined_resource)} in API group {quoted(asked.group)}"
        where = f"in the namespace {quoted(asked.namespace)}" if asked.namespace else "at the cluster scope"
        why = escape(f"{who} {what} {where}", quote=False)
    else:
        why = escape(f"{who} path {quoted(asked.path)}", quote=False)
    return statuses.forbidden(asked.group, asked.resource, asked.name, f"{why}: {reason}" if reason else why)
