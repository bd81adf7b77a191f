"""The authorizer: what a user may do, asked step by step: `authorizer.group('apps').resource('jobs').check('get')`.

Who answers is given with the value: a function of attributes and of the user, None for the one who made the request.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kybern.kube import selected
from kybern.kube.cel.errors import EvaluationError
from kybern.kube.cel.overloads import Overload, member
from kybern.kube.cel.values import Opaque
from kybern.kube.rbac import Attributes
from kybern.kube.selected import forgiving
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain

PREFIX = "kubernetes.authorization."
CHECK = 350_000  # the price of asking


@dataclass(frozen=True, slots=True)
class Answer:
    """What an authorizer says; `error` is why it could not say more."""

    allowed: bool
    reason: str = ""
    error: str = ""


Ask = Callable[[Attributes, str | None], Answer]  # (what, service account's user name or None)


@dataclass(frozen=True, slots=True, eq=False)
class Authorizer(Opaque):
    """`ask` judges for the user of the request, or for a service account."""

    type_name: ClassVar[str] = f"{PREFIX}Authorizer"
    ask: Ask
    request: Attributes | None = None  # of requestResource
    user: str | None = None

    def member(self, name: str) -> object:
        if name == "requestResource" and self.request is not None:
            return ResourceCheck(self, self.request)
        return super(Authorizer, self).member(name)


@dataclass(frozen=True, slots=True, eq=False)
class PathCheck(Opaque):
    """Asks about a path that is no resource."""

    type_name: ClassVar[str] = f"{PREFIX}PathCheck"
    authorizer: Authorizer
    path: str


@dataclass(frozen=True, slots=True, eq=False)
class GroupCheck(Opaque):
    """Has a group, needs a resource."""

    type_name: ClassVar[str] = f"{PREFIX}GroupCheck"
    authorizer: Authorizer
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class ResourceCheck(Opaque):
    """Asks about a resource."""

    type_name: ClassVar[str] = f"{PREFIX}ResourceCheck"
    authorizer: Authorizer
    asked: Attributes


@dataclass(frozen=True, slots=True, eq=False)
class Decision(Opaque):
    """The answer."""

    type_name: ClassVar[str] = f"{PREFIX}Decision"
    answer: Answer


def _path(authorizer: Authorizer, path: str) -> PathCheck:
    if not path:
        raise EvaluationError("path must not be empty")
    return PathCheck(authorizer, path)


def _service_account(authorizer: Authorizer, namespace: str, name: str) -> Authorizer:
    if dns1123_subdomain(name):
        raise EvaluationError("Invalid service account name")
    if dns1123_label(namespace):
        raise EvaluationError("Invalid service account namespace")
    return replace(authorizer, user=f"system:serviceaccount:{namespace}:{name}")


def _resource(check: GroupCheck, resource: str) -> ResourceCheck:
    return ResourceCheck(check.authorizer, Attributes("", check.group, resource))


def _with(member_name: str) -> Callable[[ResourceCheck, str], ResourceCheck]:
    def step(check: ResourceCheck, value: str) -> ResourceCheck:
        changed: dict[str, Any] = {member_name: value}
        return replace(check, asked=replace(check.asked, **changed))

    return step


def _fields(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, asked=replace(check.asked, fields=forgiving(selected.fields, text)))


def _labels(check: ResourceCheck, text: str) -> ResourceCheck:
    return replace(check, asked=replace(check.asked, labels=forgiving(selected.labels, text)))


def _check_resource(check: ResourceCheck, verb: str) -> Decision:
    return Decision(check.authorizer.ask(replace(check.asked, verb=verb), check.authorizer.user))


def _check_path(check: PathCheck, verb: str) -> Decision:
    return Decision(check.authorizer.ask(Attributes(verb, path=check.path), check.authorizer.user))


def _expensive(*_: object) -> int:
    return CHECK


_A, _P, _G = Authorizer.type_name, PathCheck.type_name, GroupCheck.type_name
_R, _D = ResourceCheck.type_name, Decision.type_name
OVERLOADS: list[Overload] = [
    member("path", f"{_A}, string -> {_P}", _path),
    member("group", f"{_A}, string -> {_G}", GroupCheck),
    member("serviceAccount", f"{_A}, string, string -> {_A}", _service_account),
    member("resource", f"{_G}, string -> {_R}", _resource),
    member("subresource", f"{_R}, string -> {_R}", _with("subresource")),
    member("namespace", f"{_R}, string -> {_R}", _with("namespace")),
    member("name", f"{_R}, string -> {_R}", _with("name")),
    member("fieldSelector", f"{_R}, string -> {_R}", _fields),
    member("labelSelector", f"{_R}, string -> {_R}", _labels),
    member("check", f"{_R}, string -> {_D}", _check_resource, _expensive),
    member("check", f"{_P}, string -> {_D}", _check_path, _expensive),
    member("allowed", f"{_D} -> bool", lambda decision: decision.answer.allowed),
    member("reason", f"{_D} -> string", lambda decision: decision.answer.reason),
    member("errored", f"{_D} -> bool", lambda decision: bool(decision.answer.error)),
    member("error", f"{_D} -> string", lambda decision: decision.answer.error),
]
