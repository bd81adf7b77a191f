"""Where a pod may run: affinity, tolerations, topology spread, taints."""

from kybern.kube.field import duplicate, forbidden, invalid, not_supported, required
from kybern.kube.validation.fields import Errors, Object, child, items, one_of, required_text, text
from kybern.kube.validation.metadata import validate_selector
from kybern.kube.validation.names import label_value, qualified_name

_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NODE_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def validate_tolerations(tolerations: list[Object], path: str) -> Errors:
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator, value = (toleration.get(name) or "" for name in ("key", "operator", "value"))
        if key:
            yield from text(key, f"{at}.key", qualified_name)
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
            yield not_supported(f"{at}.operator", operator, ("Equal", "Exists"))
        yield from one_of(toleration, "effect", at, _EFFECTS)


def validate_taints(taints: list[Object], path: str) -> Errors:
    seen = set()
    for index, taint in enumerate(taints):
        at = f"{path}[{index}]"
        yield from text(taint.get("key") or "", f"{at}.key", qualified_name)
        if problems := label_value(taint.get("value") or ""):
            yield invalid(f"{at}.value", taint["value"], ";".join(problems))
        yield from one_of(taint, "effect", at, _EFFECTS, must=True)
        key = (taint.get("key"), taint.get("effect"))
        if key in seen:
            yield duplicate(at, taint)
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
        yield from _node_selector_term(term, f"{path}.nodeSelectorTerms[{index}]")


def _node_selector_term(term: Object, path: str) -> Errors:
    for name in ("matchExpressions", "matchFields"):
        for index, expression in enumerate(items(term, name)):
            yield from _node_requirement(expression, f"{path}.{name}[{index}]")


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
    yield from text(expression.get("key") or "", f"{path}.key", qualified_name)
    for index, value in enumerate(values):
        yield from text(value, f"{path}.values[{index}]", label_value)


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
    yield from required_text(term, "topologyKey", path, qualified_name, detail="can not be empty")


def validate_topology_spread(constraints: list[Object], path: str) -> Errors:
    seen = set()
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        skew, domains = constraint.get("maxSkew") or 0, constraint.get("minDomains")
        unsatisfiable = constraint.get("whenUnsatisfiable") or ""
        if skew <= 0:
            yield invalid(f"{at}.maxSkew", skew, "must be greater than zero")
        yield from required_text(constraint, "topologyKey", at, qualified_name, detail="can not be empty")
        if unsatisfiable not in ("DoNotSchedule", "ScheduleAnyway"):
            yield not_supported(f"{at}.whenUnsatisfiable", unsatisfiable, ("DoNotSchedule", "ScheduleAnyway"))
        pair = (constraint.get("topologyKey"), unsatisfiable)
        if pair in seen:
            shown = "{%s, %s}" % pair  # noqa: UP031
            yield duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", shown)
        seen.add(pair)
        if domains is not None:
            if domains <= 0:
                yield invalid(f"{at}.minDomains", domains, "must be greater than zero")
            if unsatisfiable != "DoNotSchedule":
                detail = "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + unsatisfiable
                yield invalid(f"{at}.minDomains", domains, detail)
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            yield from one_of(constraint, name, at, ("Honor", "Ignore"))
        yield from validate_selector(constraint.get("labelSelector"), f"{at}.labelSelector")
