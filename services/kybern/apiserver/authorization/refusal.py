"""How a refusal is worded."""

from dataclasses import dataclass

from kybern.apiserver.core.user import User
from kybern.kube import status as statuses
from kybern.kube.rbac import Attributes
from kybern.kube.status import StatusError


@dataclass(frozen=True)
class Denied:
    """An authorizer's no, with its reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


def forbidden(user: User, asked: Attributes, reason: str = "") -> StatusError:
    """The refusal as a client reads it."""
    who = f'User "{user.name}" cannot {asked.verb}'
    if asked.is_resource_request:
        what = f'resource "{asked.combined_resource}" in API group "{asked.group}"'
        where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        why = f"{who} {what} {where}"
    else:
        why = f'{who} path "{asked.path}"'
    return statuses.forbidden(asked.group, asked.resource, asked.name, f"{why}: {reason}" if reason else why)
