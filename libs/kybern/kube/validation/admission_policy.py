"""Validation of admission policies and their bindings."""

import re

from kybern.kube.field import FieldError, duplicate, forbidden, invalid, not_supported, required
from kybern.kube.validation.admission import validate_rule
from kybern.kube.validation.conditions import validate_conditions
from kybern.kube.validation.fields import (
    Errors,
    Object,
    child,
    chosen,
    items,
    one_of,
    required_text,
    text,
)  # fmt: skip
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import (
    dns1035_label,
    dns1123_subdomain,
    path_segment,
)

_MEMBERS = (
    "failurePolicy", "paramKind", "matchConstraints", "matchConditions", "variables", "validations", "mutations",
    "reinvocationPolicy", "auditAnnotations",
)  # fmt: skip
_PARTS = ("expression", "messageExpression", "message", "reason")
_PLACE = re.compile(r"spec\.(\w+)(?:\[(\d+)\])?(?:\.(\w+))?")


def in_order(errors: list[FieldError]) -> list[FieldError]:
    """What is wrong with a policy, its expressions among it, as Kubernetes comes across it."""
    return sorted(errors, key=_place)


def _place(error: FieldError) -> tuple[int, int, int]:
    found = _PLACE.match(error.field)
    if found is None or found[1] not in _MEMBERS:
        return -1, 0, 0
    part = _PARTS.index(found[3]) if found[1] == "validations" and found[3] in _PARTS else 0
    if found[1] == "mutations":  # the expression that counts, then the one that should not be there
        part = not error.field.endswith(".expression")
    return _MEMBERS.index(found[1]), int(found[2] or 0), part


def validate_admission_policy(obj: Object) -> Errors:
    """ValidatingAdmissionPolicy: something to match and something to say about it."""
    spec = child(obj, "spec")
    yield from _policy(spec)
    validations, annotations = items(spec, "validations"), items(spec, "auditAnnotations")
    if not validations and not annotations:
        detail = "validations or auditAnnotations must contain at least one item"
        yield required("spec.validations", detail)
        yield required("spec.auditAnnotations", detail)
    for index, validation in enumerate(validations):
        yield from _expression(validation, f"spec.validations[{index}]")
        yield from _message(validation, f"spec.validations[{index}]")


def _message(validation: Object, path: str) -> Errors:
    message = validation.get("message") or ""
    if message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip() or "\r" in message.strip():
        yield invalid(f"{path}.message", message, "message must not contain line breaks")
    yield from chosen(validation, "reason", path, ("Forbidden", "Invalid", "RequestEntityTooLarge"))


def validate_mutating_policy(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from _policy(spec)
    yield from _changing(child(spec, "matchConstraints"), "spec.matchConstraints")
    mutations = items(spec, "mutations")
    if not mutations:
        yield required("spec.mutations", "mutations must contain at least one item")
    yield from one_of(spec, "reinvocationPolicy", "spec", ("IfNeeded", "Never"), must=True)
    for index, mutation in enumerate(mutations):
        at, kind = f"spec.mutations[{index}]", mutation.get("patchType") or ""
        if not kind:
            yield required(f"{at}.patchType")
        elif kind not in _PATCH_TYPES:
            yield not_supported(f"{at}.patchType", kind, _PATCH_TYPES)
        else:
            yield from _mutation(mutation, kind, at)


_PATCH_TYPES = ("ApplyConfiguration", "JSONPatch")


def _mutation(mutation: Object, kind: str, path: str) -> Errors:
    member, other = (
        ("applyConfiguration", "jsonPatch") if kind == _PATCH_TYPES[0] else ("jsonPatch", "applyConfiguration")
    )
    if mutation.get(member) is None:
        yield required(f"{path}.{member}", f"must be specified when patchType is {kind}")
    else:
        yield from required_text(mutation[member], "expression", f"{path}.{member}")
    if mutation.get(other) is not None:
        yield invalid(f"{path}.{other}", f"{{{other}}}", f"must not be specified when patchType is {kind}")


def _policy(spec: Object) -> Errors:
    matching = spec.get("matchConstraints")
    if matching is None:
        yield required("spec.matchConstraints")
    else:
        yield from _match_resources(matching, "spec.matchConstraints")
        if not items(matching, "resourceRules"):
            yield required("spec.matchConstraints.resourceRules")
    parameters = spec.get("paramKind")
    if parameters is not None:
        yield from _param_kind(parameters, "spec.paramKind")
    yield from chosen(spec, "failurePolicy", "spec", ("Fail", "Ignore"))


def _param_kind(parameters: Object, path: str) -> Errors:
    version, kind = parameters.get("apiVersion") or "", parameters.get("kind") or ""
    if not version:
        yield required(f"{path}.apiVersion")
    elif version.count("/") > 1:
        yield invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    else:
        group, slash, name = version.rpartition("/")
        if slash:
            yield from text(group, f"{path}.apiVersion", dns1123_subdomain)
        for problem in dns1035_label(name):
            yield invalid(f"{path}.apiVersion", version, problem)
    if not kind:
        yield required(f"{path}.kind")
    for problem in dns1035_label(kind.lower()) if kind else ():
        detail = f"may have mixed case, but should otherwise match: {problem}"
        yield invalid(f"{path}.kind", kind, detail)


_CHANGING = ("*", "CONNECT", "CREATE", "UPDATE")


def _changing(given: Object, path: str) -> Errors:
    """What is deleted cannot be changed."""
    for rule in items(given, "resourceRules"):
        for operation in items(rule, "operations"):
            if operation not in _CHANGING:
                yield not_supported(f"{path}.resourceRules.operations", operation, _CHANGING)


def validate_policy_status(obj: Object, old: Object) -> Errors:
    """A write of a ValidatingAdmissionPolicy's status."""
    status = child(obj, "status")
    for index, warning in enumerate(items(child(status, "typeChecking"), "expressionWarnings")):
        for name in ("warning", "fieldRef"):
            yield from required_text(warning, name, f"status.typeChecking.expressionWarnings[{index}]")
    yield from validate_conditions(items(status, "conditions"), "status.conditions")


def _match_resources(given: Object, path: str) -> Errors:
    yield from chosen(given, "matchPolicy", path, ("Equivalent", "Exact"))
    for name in ("namespaceSelector", "objectSelector"):
        yield from validate_selector(given.get(name), f"{path}.{name}")
    for member in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(items(given, member)):
            at, names = f"{path}.{member}[{index}]", items(rule, "resourceNames")
            for position, name in enumerate(names):
                for problem in path_segment(name):
                    yield invalid(f"{at}.resourceNames[{position}]", name, problem)
                if name in names[:position]:
                    yield duplicate(f"{at}.resourceNames[{position}]", name)
            yield from validate_rule(rule, at)


def _expression(entry: Object, path: str) -> Errors:
    if not (entry.get("expression") or "").strip():
        yield required(f"{path}.expression", "expression is not specified")


def validate_policy_binding(obj: Object) -> Errors:
    spec = child(obj, "spec")
    yield from required_text(spec, "policyName", "spec", dns1123_subdomain)
    if spec.get("paramRef") is not None:
        yield from _param_ref(spec["paramRef"], "spec.paramRef")
    if spec.get("matchResources") is not None:
        yield from _match_resources(spec["matchResources"], "spec.matchResources")
        if obj.get("kind") == "MutatingAdmissionPolicyBinding":
            yield from _changing(spec["matchResources"], "spec.matchResources")
    if obj.get("kind") == "ValidatingAdmissionPolicyBinding":
        yield from _actions(items(spec, "validationActions"))


def _actions(actions: list[str]) -> Errors:
    for index, action in enumerate(actions):
        if action not in ("Deny", "Warn", "Audit"):
            yield not_supported(f"spec.validationActions[{index}]", action, ("Audit", "Deny", "Warn"))
        if action in actions[:index]:
            yield duplicate(f"spec.validationActions[{index}]", action)
    if "Deny" in actions and "Warn" in actions:
        why = "repeating the same validation failure information in the API response and headers serves no purpose"
        yield invalid("spec.validationActions", actions, f"must not contain both Deny and Warn ({why})")
    if not actions:
        yield required("spec.validationActions", "at least one validation action is required")


def _param_ref(ref: Object, path: str) -> Errors:
    name, selector = ref.get("name") or "", ref.get("selector")
    for problem in path_segment(name) if name else ():
        yield invalid(f"{path}.name", name, problem)
    if name and selector is not None:
        yield forbidden(f"{path}.name", "name and selector are mutually exclusive")
    yield from validate_selector(selector, f"{path}.selector")
    if name and selector is not None:
        yield forbidden(f"{path}.selector", "name and selector are mutually exclusive")
    if not name and selector is None:
        yield required(path, "one of name or selector must be specified")
    yield from one_of(ref, "parameterNotFoundAction", path, ("Deny", "Allow"), must=True, in_order=True)
