"""Where a pod may run: affinity, tolerations, topology spread, taints."""

from kybern.kube.field import ErrorType, FieldError, Struct, duplicate, forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, chosen, items, one_of, text
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import dns1123_label, dns1123_subdomain, label_key, label_value, qualified_name

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def validate_tolerations(tolerations: list[Object], path: str) -> Errors:
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator, value = (toleration.get(name) or "" for name in ("key", "operator", "value"))
        if key:
            yield from text(key, f"{at}.key", label_key)
        elif operator != "Exists":
            detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield invalid(f"{at}.operator", operator, detail)
        effect = toleration.get("effect") or ""
        if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
            yield invalid(f"{at}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")
        if operator in ("", "Equal"):
            if problems := label_value(value):
                yield invalid(f"{at}.operator", value, ";".join(problems))
        elif operator == "Exists":
            if value:
                yield invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'")
        else:
            numeric = ("Lt", "Gt") if operator in ("Lt", "Gt") else ()
            yield not_supported(f"{at}.operator", operator, ("Equal", "Exists", *numeric), in_order=True)
        yield from one_of(toleration, "effect", at, _EFFECTS, in_order=True)


def validate_taints(taints: list[Object], path: str) -> Errors:
    seen = set()
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        yield from text(taint.get("key") or "", f"{at}.key", qualified_name)
        if problems := label_value(taint.get("value") or ""):
            yield invalid(f"{at}.value", taint["value"], ";".join(problems))
        yield from one_of(taint, "effect", at, _EFFECTS, must=True, in_order=True)
        key = (taint.get("key"), taint.get("effect"))
        if key in seen:
            shown = Struct(
                Key=taint.get("key") or "",
                Value=taint.get("value") or "",
                Effect=taint.get("effect") or "",
                TimeAdded=taint.get("timeAdded"),
            )
            yield FieldError(ErrorType.DUPLICATE, at, shown, "taints must be unique by key and effect pair")
        seen.add(key)


def validate_affinity(affinity: Object, path: str) -> Errors:
    node = child(affinity, "nodeAffinity")
    if node.get(_REQUIRED) is not None:
        yield from validate_node_selector(node[_REQUIRED], f"{path}.nodeAffinity.{_REQUIRED}")
    for index, term in enumerate(items(node, _PREFERRED)):
        at = f"{path}.nodeAffinity.{_PREFERRED}[{index}]"
        yield from _weight(term, at)
        yield from _node_selector_term(child(term, "preference"), f"{at}.preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        yield from _pod_affinity(child(affinity, kind), f"{path}.{kind}")


def _weight(term: Object, path: str) -> Errors:
    weight = term.get("weight") or 0
    if not 1 <= weight <= 100:
        yield invalid(f"{path}.weight", weight, "must be in the range 1-100")


def validate_node_selector(selector: Object, path: str) -> Errors:
    terms = items(selector, "nodeSelectorTerms")
    if not terms:
        yield required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")
    for index, term in enumerate(terms):
        yield from _node_selector_term(term, f"{path}.nodeSelectorTerms[{index}]", strict=True)


def _node_selector_term(term: Object, path: str, *, strict: bool = False) -> Errors:
    """Values that no label can have are refused where the term must match (`strict`)."""
    for index, expression in enumerate(items(term, "matchExpressions")):
        at = f"{path}.matchExpressions[{index}]"
        yield from _node_requirement(expression, at)
        for position, value in enumerate(items(expression, "values") if strict else ()):
            yield from text(value, f"{at}.values[{position}]", label_value)
    for index, expression in enumerate(items(term, "matchFields")):
        yield from _field_requirement(expression, f"{path}.matchFields[{index}]")


def _node_requirement(expression: Object, path: str) -> Errors:
    operator, values = expression.get("operator") or "", items(expression, "values")
    if operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")
    elif operator not in _NODE_OPERATORS:
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    yield from text(expression.get("key") or "", f"{path}.key", label_key)


def _field_requirement(expression: Object, path: str) -> Errors:
    """A node's fields are chosen by one value, and the only field is its name."""
    operator, values = expression.get("operator") or "", items(expression, "values")
    if operator not in ("In", "NotIn"):
        yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    elif len(values) != 1:
        detail = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield required(f"{path}.values", detail)
    if expression.get("key") != "metadata.name":
        yield invalid(f"{path}.key", expression.get("key") or "", "not a valid field selector key")
        return
    for index, value in enumerate(values):
        yield from text(value, f"{path}.values[{index}]", dns1123_subdomain)


def _pod_affinity(affinity: Object, path: str) -> Errors:
    for index, term in enumerate(items(affinity, _REQUIRED)):
        yield from _pod_affinity_term(term, f"{path}.{_REQUIRED}[{index}]")
    for index, weighted in enumerate(items(affinity, _PREFERRED)):
        at = f"{path}.{_PREFERRED}[{index}]"
        yield from _weight(weighted, at)
        yield from _pod_affinity_term(child(weighted, "podAffinityTerm"), f"{at}.podAffinityTerm")


def _pod_affinity_term(term: Object, path: str) -> Errors:
    yield from validate_selector(term.get("labelSelector"), f"{path}.labelSelector")
    yield from validate_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector")
    for namespace in items(term, "namespaces"):
        yield from text(namespace, f"{path}.namespace", dns1123_label)
    yield from _label_keys(term, path)
    topology = term.get("topologyKey") or ""
    if not topology:
        yield required(f"{path}.topologyKey", "can not be empty")
    yield from text(topology, f"{path}.topologyKey", label_key)


def _label_keys(term: Object, path: str) -> Errors:
    """Keys whose values on the pod itself join the selector, and those whose values are kept out."""
    lists = ("matchLabelKeys", "mismatchLabelKeys")
    if term.get("labelSelector") is None:
        for name in lists:
            if items(term, name):
                yield forbidden(f"{path}.{name}", "must not be specified when labelSelector is not set")
        return
    matched = set(items(term, "matchLabelKeys"))
    for index, key in enumerate(items(term, "matchLabelKeys")):
        yield from text(key, f"{path}.matchLabelKeys[{index}]", label_key)
    for index, key in enumerate(items(term, "mismatchLabelKeys")):
        at = f"{path}.mismatchLabelKeys[{index}]"
        if key in matched:
            yield invalid(at, key, "exists in both matchLabelKeys and mismatchLabelKeys")
        yield from text(key, at, label_key)


def validate_topology_spread(constraints: list[Object], path: str) -> Errors:
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        skew, domains = constraint.get("maxSkew") or 0, constraint.get("minDomains")
        topology, unsatisfiable = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if skew <= 0:
            yield invalid(f"{at}.maxSkew", skew, "must be greater than zero")
        if not topology:
            yield required(f"{at}.topologyKey", "can not be empty")
        if unsatisfiable not in ("DoNotSchedule", "ScheduleAnyway"):
            yield not_supported(f"{at}.whenUnsatisfiable", unsatisfiable, ("DoNotSchedule", "ScheduleAnyway"))
        later = constraints[index + 1 :]
        if any(((one.get("topologyKey") or ""), one.get("whenUnsatisfiable") or "") == (topology, unsatisfiable)
               for one in later):  # fmt: skip
            yield duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{topology}, {unsatisfiable}}}")
        if domains is not None:
            if domains <= 0:
                yield invalid(f"{at}.minDomains", domains, "must be greater than zero")
            if unsatisfiable != "DoNotSchedule":
                detail = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + unsatisfiable
                yield invalid(f"{at}.minDomains", domains, detail)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            yield from chosen(constraint, name, at, ("Honor", "Ignore"))
        yield from _spread_keys(constraint, at)
        yield from validate_selector(constraint.get("labelSelector"), f"{at}.labelSelector")


def _spread_keys(constraint: Object, path: str) -> Errors:
    keys, selector = items(constraint, "matchLabelKeys"), constraint.get("labelSelector")
    if keys and selector is None:
        yield forbidden(f"{path}.matchLabelKeys", "must not be specified when labelSelector is not set")
        return
    selected = {*child(selector or {}, "matchLabels")}
    selected |= {one.get("key") for one in items(selector or {}, "matchExpressions")}
    for index, key in enumerate(keys):
        at = f"{path}.matchLabelKeys[{index}]"
        if key in selected:
            yield invalid(at, key, "exists in both matchLabelKeys and labelSelector")
        yield from text(key, at, label_key)
