"""The strategies of admission policies and webhooks: their expressions must compile. CEL is loaded when needed."""

from collections.abc import Callable
from typing import Any

from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.strategy import Strategy
from kybern.kube.field import FieldError
from kybern.kube.validation.admission_policy import in_order

Object = dict[str, Any]
Check = Callable[[Object, Object | None], list[FieldError]]
Order = Callable[[list[FieldError]], list[FieldError]]
GROUP, RESERVED = "admissionregistration.k8s.io", ".static.k8s.io"


def _unchanged(new: Object, old: Object | None) -> bool:
    return old is not None and new.get("spec") == old.get("spec") and new.get("webhooks") == old.get("webhooks")


def check_validating(new: Object, old: Object | None) -> list[FieldError]:
    """Field errors of a ValidatingAdmissionPolicy's expressions."""
    if _unchanged(new, old):
        return []
    from kybern.kube.cel import policy_checks

    return policy_checks.check_validating(new)


def check_mutating(new: Object, old: Object | None) -> list[FieldError]:
    """Field errors of a MutatingAdmissionPolicy's expressions."""
    if _unchanged(new, old):
        return []
    from kybern.kube.cel import policy_checks

    return policy_checks.check_mutating(new)


def check_webhooks(new: Object, old: Object | None) -> list[FieldError]:
    """Field errors of webhooks' match conditions."""
    if _unchanged(new, old) or not any(hook.get("matchConditions") for hook in new.get("webhooks") or ()):
        return []
    from kybern.kube.cel import policy_checks

    return policy_checks.check_webhooks(new)


def warn_of_name(request: Request, obj: Object) -> None:
    """Names that files on the server's host are to have one day."""
    if request.name.endswith(RESERVED):
        request.warnings.append(
            f'metadata.name: names ending with "{RESERVED}" are reserved for static manifest-based configurations and '
            "cannot be managed via the API"
        )


def warn_on_update(request: Request, new: Object, old: Object) -> None:
    """As on create."""
    warn_of_name(request, new)


def _strategy(check: Check | None = None, order: Order | None = None) -> Strategy:
    return Strategy(
        prepare_create=(warn_of_name,), prepare_update=(warn_on_update,), check=check, order=order,
        unconditional_update=False,
    )  # fmt: skip


ADMISSION_POLICIES = {
    (GROUP, "validatingadmissionpolicies"): _strategy(check_validating, in_order),
    (GROUP, "validatingadmissionpolicybindings"): _strategy(),
    (GROUP, "mutatingadmissionpolicies"): _strategy(check_mutating, in_order),
    (GROUP, "mutatingadmissionpolicybindings"): _strategy(),
    (GROUP, "validatingwebhookconfigurations"): _strategy(check_webhooks),
    (GROUP, "mutatingwebhookconfigurations"): _strategy(check_webhooks),
}
