"""ResourceQuota and LimitRange: which resources they may name, and amounts that agree with each other."""

from kybern.kube import quantity
from kybern.kube.field import Struct, duplicate, forbidden, invalid, required
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, items, resource_amount, text
from kybern.kube.validation.names import qualified_name
from kybern.kube.validation.resources import container_resource_name, is_extended, is_standard_resource

_COUNTED = frozenset(
    {
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
_POD_COMPUTE = frozenset(
    {
        "pods", "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    }
)  # fmt: skip
_QUOTA = _COUNTED | _POD_COMPUTE | {"requests.storage"}
_CLAIMS = frozenset({"persistentvolumeclaims", "requests.storage"})
_MUST_EXIST = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "Terminating")
_SCOPES = frozenset({*_MUST_EXIST, "PriorityClass", "VolumeAttributesClass"})
_OPERATORS = ("DoesNotExist", "Exists", "In", "NotIn")
_EXISTS_ONLY = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})


def validate_resource_quota(obj: Object) -> Errors:
    spec = child(obj, "spec")
    hard = child(spec, "hard")
    for name, amount in sorted(hard.items()):
        at = f"spec.hard[{name}]"
        yield from _quota_name(name, at)
        yield from _amount(name, amount, at)
    yield from _scopes(items(spec, "scopes"), hard)
    if spec.get("scopeSelector") is not None:
        yield from _selector(spec["scopeSelector"], hard)


def validate_resource_quota_status(obj: Object, old: Object) -> Errors:
    for member in ("hard", "used"):
        for name, amount in sorted(child(child(obj, "status"), member).items()):
            at = f"status.{member}[{name}]"
            yield from _quota_name(name, at)
            yield from _amount(name, amount, at)


def validate_resource_quota_update(obj: Object, old: Object) -> Errors:
    new, before = (child(quota, "spec").get("scopes") for quota in (obj, old))
    if set(new or ()) != set(before or ()):
        yield invalid("spec.scopes", new or None, IMMUTABLE)


def _quota_name(name: str, path: str) -> Errors:
    wrong = list(text(name, path, qualified_name))
    yield from wrong
    huge = name.startswith(("hugepages-", "requests.hugepages-"))
    if "/" not in name and not wrong and not huge and not is_standard_resource(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")
    if "/" not in name and name not in _QUOTA and not huge:
        yield invalid(path, name, "must be a standard resource for quota")


def _amount(name: str, amount: str, path: str) -> Errors:
    yield from resource_amount(amount, path)
    if (name in _COUNTED or is_extended(name)) and quantity.parse(amount).nanos % quantity.NANO:
        yield invalid(path, amount, "must be an integer")


def _fits(scope: str, resource: str) -> bool:
    """Whether a quota of a scope can count a resource; what is not known is not judged."""
    if resource not in _QUOTA:
        return True
    match scope:
        case "BestEffort":
            return resource == "pods"
        case "VolumeAttributesClass":
            return resource in _CLAIMS
        case _:
            return resource in _POD_COMPUTE


def _scopes(scopes: list[str], hard: Object) -> Errors:
    for scope in scopes:
        if scope not in _SCOPES:
            yield invalid("spec.scopes", scopes, "unsupported scope")
            continue
        for _ in (name for name in hard if not _fits(scope, name)):
            yield invalid("spec.scopes", scopes, "unsupported scope applied to resource")
    for pair in _CONFLICTS:
        if pair <= set(scopes):
            yield invalid("spec.scopes", scopes, "conflicting scopes")


def _selector(selector: Object, hard: Object) -> Errors:
    path = "spec.scopeSelector.matchExpressions"
    expressions = items(selector, "matchExpressions")
    shown = Struct(MatchExpressions=[_shown(expression) for expression in expressions])
    for expression in expressions:
        scope, operator = expression.get("scopeName") or "", expression.get("operator") or ""
        values = expression.get("values") or []
        if scope not in _SCOPES:
            yield invalid(f"{path}.scopeName", scope, "unsupported scope")
        else:
            for _ in (name for name in hard if not _fits(scope, name)):
                yield invalid(path, shown, "unsupported scope applied to resource")
        if scope in _MUST_EXIST and operator != "Exists":
            yield invalid(f"{path}.operator", operator, _EXISTS_ONLY)
        if operator in ("In", "NotIn"):
            if not values:
                what = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                yield required(f"{path}.values", what)
        elif operator in _OPERATORS:
            if values:
                what = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                yield invalid(f"{path}.values", values, what)
        else:
            yield invalid(f"{path}.operator", operator, "not a valid selector operator")
    for pair in _CONFLICTS:
        if pair <= {expression.get("scopeName") for expression in expressions}:
            yield invalid(path, [expression.get("scopeName") for expression in expressions], "conflicting scopes")


def _shown(expression: Object) -> Struct:
    scope, operator = expression.get("scopeName") or "", expression.get("operator") or ""
    return Struct(ScopeName=scope, Operator=operator, Values=expression.get("values") or None)


_LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")
_MAPS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def validate_limit_range(obj: Object) -> Errors:
    seen = set()
    for index, item in enumerate(items(child(obj, "spec"), "limits")):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        wrong = list(text(kind, f"{path}.type", qualified_name))
        yield from wrong
        if not wrong and "/" not in kind and kind not in _LIMIT_TYPES:
            yield invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        if kind == "Pod":
            for name in ("default", "defaultRequest"):
                if item.get(name):
                    yield forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
            item = {name: value for name, value in item.items() if name not in ("default", "defaultRequest")}
        for name in _MAPS:
            for resource in sorted(child(item, name)):
                yield from _limited(resource, kind, f"{path}.{name}[{resource}]")
        if kind == "PersistentVolumeClaim" and not {"storage"} & {*child(item, "min"), *child(item, "max")}:
            yield required(
                f"{path}.limits", "either minimum or maximum storage value is required, but neither was provided"
            )
        yield from _limit_order(item, path)


def _limited(name: str, kind: str, path: str) -> Errors:
    if kind in ("Container", "Pod"):
        yield from container_resource_name(name, path)
        return
    wrong = list(text(name, path, qualified_name))
    yield from wrong
    if not wrong and "/" not in name and not is_standard_resource(name):
        yield invalid(path, name, "must be a standard resource type or fully qualified")


# In each row the left amount may not exceed the right one; (where it is said, whose value is shown).
_ORDER = (
    ("min", "max", "min", "min", "min value {0} is greater than max value {1}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {0} is greater than default request value {1}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {0} is greater than max value {1}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {0} is greater than default limit value {1}"),
    ("min", "default", "default", "min", "min value {0} is greater than default value {1}"),
    ("default", "max", "default", "max", "default value {0} is greater than max value {1}"),
)  # fmt: skip


def _limit_order(item: Object, path: str) -> Errors:
    """Resource by resource, as the amounts of each stand to each other."""
    for name in sorted({resource for member in _MAPS for resource in child(item, member)}):
        for low, high, at, whose, wording in _ORDER:
            left, right = child(item, low).get(name), child(item, high).get(name)
            if left is not None and right is not None and quantity.parse(left) > quantity.parse(right):
                yield invalid(f"{path}.{at}[{name}]", child(item, whose)[name], wording.format(left, right))
        yield from _ratio(item, name, f"{path}.maxLimitRequestRatio[{name}]")


def _ratio(item: Object, name: str, path: str) -> Errors:
    """No ratio is below 1, or above what the bounds leave."""
    ratio = child(item, "maxLimitRequestRatio").get(name)
    if ratio is None:
        return
    if quantity.parse(ratio).nanos < quantity.NANO:
        yield invalid(path, ratio, f"ratio {ratio} is less than 1")
    high, low = child(item, "max").get(name), child(item, "min").get(name)
    if high is None or low is None or not quantity.parse(low).nanos:
        return
    bound = quantity.parse(high).nanos / quantity.parse(low).nanos
    if quantity.parse(ratio).nanos / quantity.NANO > bound:
        yield invalid(path, ratio, f"ratio {ratio} is greater than max/min = {bound:f}")
