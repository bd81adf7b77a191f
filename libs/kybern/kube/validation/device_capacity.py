"""How much of a device's capacity a claim may ask for: the request policies of devices that several claims share."""

from kybern.kube.field import duplicate, forbidden, invalid, required, too_many
from kybern.kube.quantity import Quantity, parse
from kybern.kube.validation.fields import Errors, Object, items

MOST_VALUES = 10


def validate_request_policy(capacity: Object, path: str, *, shared: bool) -> Errors:
    """The `requestPolicy` of one capacity; only of a shared device."""
    policy, at = capacity.get("requestPolicy"), f"{path}.requestPolicy"
    if policy is None:
        return
    if not shared:
        yield forbidden(at, "allowMultipleAllocations must be true")
        return
    values, within, given = items(policy, "validValues"), policy.get("validRange"), policy.get("default")
    most, default = parse(capacity.get("value") or "0"), None if given is None else parse(given)
    if values and within is not None:
        both = 'cannot specify "validValues" and "validRange" at the same time'
        yield forbidden(at, f"exactly one policy can be specified, {both}")
    elif values:
        yield from _values([parse(value) for value in values], default, most, at)
    elif within is not None:
        yield from _range(within, default, most, at)


def _values(values: list[Quantity], default: Quantity | None, most: Quantity, path: str) -> Errors:
    at, found = f"{path}.validValues", False
    if default is None:
        yield required(f"{path}.default", "required when validValues is defined")
    if len(values) > MOST_VALUES:
        yield too_many(at, len(values), MOST_VALUES)
        values = []
    for index, value in enumerate(values):
        found = found or value == default
        if most < value:
            yield invalid(f"{at}[{index}]", str(value), f"option is larger than capacity value: {most}")
        if index and value < values[index - 1]:
            yield invalid(f"{at}[{index}]", str(value), "values must be sorted in ascending order")
        if value in values[:index]:
            yield duplicate(f"{at}[{index}]", str(value))
    if default is not None and not found:
        yield invalid(at, str(default), "default value is not valid according to the requestPolicy")


def _range(within: Object, default: Quantity | None, most: Quantity, path: str) -> Errors:
    at = f"{path}.validRange"
    low, high, step = (None if within.get(name) is None else parse(within[name]) for name in ("min", "max", "step"))
    if default is None:
        yield required(f"{path}.default", "required when validRange is defined")
    if low is None:
        yield required(f"{at}.min", "required when validRange is defined")
        return
    if most < low:
        yield invalid(f"{at}.min", str(low), f"min is larger than capacity value: {most}")
    if default is not None and default < low:
        yield invalid(f"{at}.min", str(default), f"default is less than min: {low}")
    if high is not None:
        if high < low:
            yield invalid(f"{at}.max", str(low), f"min is larger than max: {high}")
        if most < high:
            yield invalid(f"{at}.max", str(high), f"max is larger than capacity value: {most}")
        if default is not None and high < default:
            yield invalid(f"{at}.max", str(default), f"default is more than max: {high}")
    if step is not None:
        yield from _step(step, low, (default, high), most, f"{at}.step")


def _step(step: Quantity, low: Quantity, points: tuple[Quantity | None, ...], most: Quantity, path: str) -> Errors:
    if most < low + step:
        yield invalid(path, str(step), f"one step {low + step} is larger than capacity value: {most}")
    for point in points:
        if point is not None and step and (point - low).nanos % step.nanos:
            yield invalid(path, str(point), f"value is not a multiple of a given step ({step}) from ({low})")
