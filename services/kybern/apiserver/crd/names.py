"""Names of custom resources: a definition gets those that no other definition of its group has."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from kybern.apiserver.crd.definition import authorities, condition
from kybern.kube import meta
from kybern.kube.go_values import quoted
from kybern.kube.structural.crd import APPROVED, approval_needed, is_approval, is_protected
from kybern.kube.validation.certificate_pem import bundle_problem

Object = dict[str, Any]
ACCEPTED = ("True", "NoConflicts", "no conflicts found")
ESTABLISHED = ("True", "InitialNamesAccepted", "the initial names have been accepted")
APPROVAL = "KubernetesAPIApprovalPolicyConformant"
NO_AUTHORITIES = ("False", "InvalidCABundle", "The conversion webhook CABundle is invalid")
NOT_ACCEPTED = ("False", "NotAccepted", "not all names are accepted")


def decide_status(crd: Object, others: Iterable[Object], now: datetime) -> Object:
    """The status with names accepted as far as they are free; established once all were accepted."""
    wanted, status = crd["spec"]["names"], dict(crd.get("status") or {})
    resources, kinds = _taken(crd, others)
    accepted: Object = dict(status.get("acceptedNames") or {"kind": "", "plural": ""})
    said = ACCEPTED
    for member, taken, reason in (
        ("plural", resources, "PluralConflict"),
        ("singular", resources, "SingularConflict"),
        ("shortNames", resources, "ShortNamesConflict"),
        ("kind", kinds, "KindConflict"),
        ("listKind", kinds, "ListKindConflict"),
    ):
        value = wanted.get(member)
        conflict = _conflict(value, taken, accepted.get(member))
        if conflict:
            said = ("False", reason, f'"{conflict}" is already in use')
        elif value:
            accepted[member] = value
        else:
            accepted.pop(member, None)
    if wanted.get("categories"):
        accepted["categories"] = wanted["categories"]
    else:
        accepted.pop("categories", None)
    established = NOT_ACCEPTED
    if condition(crd, "Established").get("status") == "True":
        established = ESTABLISHED
    elif said is ACCEPTED:
        established = NO_AUTHORITIES if bundle_problem(authorities(crd)) else ESTABLISHED
    status["acceptedNames"] = accepted
    approval = judge_approval(crd)
    wanted_conditions = {"NamesAccepted": said, "Established": established}
    if approval is not None:
        wanted_conditions = {APPROVAL: approval, **wanted_conditions}
    status["conditions"] = conditions(crd, wanted_conditions, now)
    return status


def judge_approval(crd: Object) -> tuple[str, str, str] | None:
    """What is said of a definition in a group that is Kubernetes' own; None of any other."""
    if not is_protected(crd):
        return None
    value = (crd["metadata"].get("annotations") or {}).get(APPROVED) or ""
    if not value or not is_approval(value):
        reason = "InvalidAnnotation" if value else "MissingAnnotation"
        return "False", reason, approval_needed(value)
    if value.startswith("unapproved"):
        return "False", "UnapprovedAnnotation", f"not approved: {quoted(value)}"
    return "True", "ApprovedAnnotation", f"approved in {value}"


def _taken(crd: Object, others: Iterable[Object]) -> tuple[set[str], set[str]]:
    resources: set[str] = set()
    kinds: set[str] = set()
    for other in others:
        names = (other.get("status") or {}).get("acceptedNames") or {}
        same = other["metadata"]["name"] == crd["metadata"]["name"]
        if same or other["spec"]["group"] != crd["spec"]["group"]:
            continue
        resources |= {names.get("plural") or "", names.get("singular") or "", *(names.get("shortNames") or ())}
        kinds |= {names.get("kind") or "", names.get("listKind") or ""}
    return resources - {""}, kinds - {""}


def _conflict(value: Any, taken: set[str], accepted: Any) -> str:
    wanted = value if isinstance(value, list) else [value or ""]
    have = accepted if isinstance(accepted, list) else [accepted]
    return next((name for name in wanted if name in taken and name not in have), "")


def conditions(crd: Object, wanted: dict[str, tuple[str, str, str]], now: datetime) -> list[Object]:
    """The conditions with some of them set; the time moves when the status does."""
    found = [dict(one) for one in (crd.get("status") or {}).get("conditions") or ()]
    for kind, (status, reason, message) in wanted.items():
        one = next((one for one in found if one.get("type") == kind), None)
        if one is None:
            one = {"type": kind}
            found.append(one)
        if one.get("status") != status:
            one["lastTransitionTime"] = meta.format_time(now)
        one |= {"status": status, "reason": reason, "message": message}
    return found
