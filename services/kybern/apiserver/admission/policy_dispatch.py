"""What both kinds of admission policies do with a write: find the policies it concerns, gather what they may speak of.

An `Invocation` is a policy with one binding and one parameter, to be evaluated in the version that its rules name.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kybern.apiserver.admission.matching import find_match, is_exempt_from_policies, namespace_matches, object_matches
from kybern.apiserver.admission.policy_authorizer import authorizer_values
from kybern.apiserver.admission.policy_compiled import Binding, Match, Policy
from kybern.apiserver.admission.policy_params import ConfigurationError, decoded, param_resource, params_of
from kybern.apiserver.admission.review import admission_request
from kybern.apiserver.admission.webhook_calls import Write
from kybern.apiserver.registry.resource_table import Served
from kybern.kube.cel.policy import namespace_object
from kybern.kube.status import StatusError, forbidden

Object = dict[str, Any]
P = TypeVar("P", bound=Policy)


@dataclass(frozen=True, eq=False)
class Invocation:
    """See the module's docstring. `error` is why it cannot be evaluated; without a binding it is the policy's fault."""

    policy: Any
    binding: Binding | None
    served: Served
    param: Object | None = None
    error: str = ""
    is_custom: bool = False  # the parameter

    @property
    def bound(self) -> str:
        """The name of the binding."""
        return "" if self.binding is None else self.binding.name

    @property
    def subject(self) -> str:
        """How messages name it."""
        return (
            f"'{self.policy.name}' with binding '{self.bound}'" if self.binding is not None else f"'{self.policy.name}'"
        )

    @property
    def key(self) -> str:
        """Tells it from all others in a request."""
        metadata = (self.param or {}).get("metadata") or {}
        return f"{self.policy.name}|{self.bound}|{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"


async def invocations(write: Write, policies: Sequence[P]) -> AsyncIterator[Invocation]:
    """Everything that is to be evaluated, in order. Raises StatusError."""
    if is_exempt_from_policies(write.request):
        return
    for policy in policies:
        served = _matches(write, policy.match)
        if served is None:
            continue
        try:
            resource = param_resource(write.request, policy)
        except ConfigurationError as error:
            yield Invocation(policy, None, served, error=str(error))
            continue
        for binding in tuple(policy.bindings):
            if binding.match is not None and _matches(write, binding.match) is None:
                continue
            try:
                params = await params_of(write.request, resource, binding)
            except ConfigurationError as error:
                yield Invocation(policy, binding, served, error=str(error))
                continue
            for param in params:
                is_custom = resource is not None and resource.custom is not None
                yield Invocation(policy, binding, served, param, is_custom=is_custom)


def _matches(write: Write, match: Match) -> Served | None:
    """The version in which to look at the write; None if it is none of the match's concern. Raises StatusError."""
    request, operation = write.request, write.operation
    if match.rules:
        served = find_match(request, operation, match.rules, match.policy, match.exclude)
    else:
        anything = ({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"]},)
        served = find_match(request, operation, anything, match.policy, match.exclude)
    if served is None or not object_matches(match.objects, write.new, write.old):
        return None
    return served if namespace_matches(request, operation, match.namespaces, write.new) else None


class Speaker:
    """What expressions speak of in one request; made when a policy matches, kept for all of them."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._shared: dict[str, Any] = {**authorizer_values(write.request), "namespaceObject": self._namespace()}

    def _namespace(self) -> Object | None:
        request = self._write.request
        if not request.served.info.namespaced:
            return None
        entry = request.server.table.cacher("", "namespaces").get("", request.namespace)
        return None if entry is None else namespace_object(decoded(entry.data))

    async def values(self, invocation: Invocation) -> dict[str, Any]:
        """The variables of an invocation's expressions, but for `variables`."""
        write, served = self._write, invocation.served
        return {
            **self._shared,
            "object": await write.seen(write.new, served),
            "oldObject": await write.seen(write.old, served),
            "request": {
                **admission_request(write.request, write.operation, "", served),
                "object": None,
                "oldObject": None,
            },
            "params": invocation.param,
        }


@dataclass(frozen=True, eq=False)
class Denial:
    """A no, as it is told."""

    message: str
    reason: str = ""


def refusal(write: Write, denials: Sequence[Denial]) -> StatusError:
    """The request is denied; the first denial gives the message, all are causes. The code is the caller's."""
    request = write.request
    error = forbidden(request.group, request.resource, request.name, denials[0].message)
    details = error.status.setdefault("details", {})
    details["causes"] = [*details.get("causes", ()), *({"message": denial.message} for denial in denials)]
    return error
