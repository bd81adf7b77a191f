"""The strategies of admission policies and webhooks: their expressions must compile. CEL is loaded when needed."""

from typing import Any

from kybern.apiserver.registry.strategy import Strategy
from kybern.kube.field import FieldError

Object = dict[str, Any]
GROUP = "admissionregistration.k8s.io"


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


ADMISSION_POLICIES = {
    (GROUP, "validatingadmissionpolicies"): Strategy(check=check_validating),
    (GROUP, "mutatingadmissionpolicies"): Strategy(check=check_mutating),
    (GROUP, "validatingwebhookconfigurations"): Strategy(check=check_webhooks),
    (GROUP, "mutatingwebhookconfigurations"): Strategy(check=check_webhooks),
}
