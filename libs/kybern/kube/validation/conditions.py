"""Conditions in a status, in the form that all newer kinds share (metav1.Condition)."""

import re

from kybern.kube.field import duplicate, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, items, text
from kybern.kube.validation.names import label_key, max_length_error, regex_error

_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON_TEXT = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'"
)
_EXAMPLES = ("my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB")
_LONGEST_REASON, _LONGEST_MESSAGE = 1024, 32 * 1024


def validate_conditions(conditions: list[Object], path: str) -> Errors:
    """Each type once, and each condition complete."""
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        at = f"{path}[{index}]"
        kind, reason, message = (condition.get(name) or "" for name in ("type", "reason", "message"))
        if kind in seen:
            yield duplicate(f"{at}.type", kind)
        seen.add(kind)
        yield from text(kind, f"{at}.type", label_key)
        if condition.get("status") not in ("True", "False", "Unknown"):
            yield not_supported(f"{at}.status", condition.get("status") or "", ("True", "False", "Unknown"))
        if (condition.get("observedGeneration") or 0) < 0:
            detail = "must be greater than or equal to zero"
            yield invalid(f"{at}.observedGeneration", condition["observedGeneration"], detail)
        if not condition.get("lastTransitionTime"):
            yield required(f"{at}.lastTransitionTime")
        if not reason:
            yield required(f"{at}.reason")
        else:
            if re.fullmatch(_REASON, reason) is None:
                yield invalid(f"{at}.reason", reason, regex_error(_REASON_TEXT, _REASON, *_EXAMPLES))
            if len(reason) > _LONGEST_REASON:
                yield invalid(f"{at}.reason", reason, max_length_error(_LONGEST_REASON))
        if len(message) > _LONGEST_MESSAGE:
            yield invalid(f"{at}.message", message, max_length_error(_LONGEST_MESSAGE))


def validate_condition_types(obj: Object, old: Object) -> Errors:
    """The status of a flow schema or a priority level: each condition has a type of its own."""
    seen: set[str] = set()
    for index, condition in enumerate(items(child(obj, "status"), "conditions")):
        at, kind = f"status.conditions[{index}].type", condition.get("type") or ""
        if kind in seen:
            yield duplicate(at, kind)
        if not kind:
            yield required(at)
        seen.add(kind)
