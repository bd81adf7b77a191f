"""Selectors as authorization sees them: what a list, watch or deletecollection is limited to.

A selector only narrows a request. Who judges may therefore leave out what cannot be read: the question gets wider than
what is asked for, never narrower.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kybern.kube import field_selectors, selectors
from kybern.kube.selectors import SelectorError

Object = dict[str, Any]
Selected = tuple[tuple[str, str, tuple[str, ...]], ...]  # key, operator, values
IN, NOT_IN, EXISTS, DOES_NOT_EXIST = "In", "NotIn", "Exists", "DoesNotExist"
OPERATORS = (IN, NOT_IN, EXISTS, DOES_NOT_EXIST)
_OF_LABELS = {"=": IN, "==": IN, "in": IN, "!=": NOT_IN, "notin": NOT_IN, "exists": EXISTS, "!": DOES_NOT_EXIST}


def fields(text: str) -> Selected:
    """Of a field selector. Raises SelectorError."""
    found = field_selectors.parse(text).requirements
    return tuple((one.field, NOT_IN if one.negated else IN, (one.value,)) for one in found)


def labels(text: str) -> Selected:
    """Of a label selector; comparisons of numbers are left out. Raises SelectorError."""
    found = selectors.parse(text).requirements
    return tuple((one.key, _OF_LABELS[one.operator], one.values) for one in found if one.operator in _OF_LABELS)


def forgiving(read: Any, text: str) -> Selected:
    """What `read` finds; nothing in what cannot be read."""
    try:
        found: Selected = read(text) if text else ()
    except SelectorError:
        return ()
    return found


def reviewed_fields(given: Mapping[str, Any] | None) -> tuple[Selected, bool]:
    """(what a review's fieldSelector says, whether all of it could be read)."""
    requirements = (given or {}).get("requirements") or ()
    if not requirements:
        return _raw(fields, given)
    found = [
        (one.get("key") or "", one["operator"], tuple(one["values"]))
        for one in requirements
        if one.get("operator") in (IN, NOT_IN) and len(one.get("values") or ()) == 1
    ]
    return tuple(found), len(found) == len(requirements)


def reviewed_labels(given: Mapping[str, Any] | None) -> tuple[Selected, bool]:
    """(what a review's labelSelector says, whether all of it could be read)."""
    requirements = (given or {}).get("requirements") or ()
    if not requirements:
        return _raw(labels, given)
    found = []
    for one in requirements:
        key, operator, values = one.get("key") or "", one.get("operator"), tuple(one.get("values") or ())
        if operator not in OPERATORS:
            continue
        try:
            selectors.from_label_selector({"matchExpressions": [one]})
        except SelectorError:
            continue
        found.append((key, operator, values))
    return tuple(found), len(found) == len(requirements)


def _raw(read: Any, given: Mapping[str, Any] | None) -> tuple[Selected, bool]:
    text = (given or {}).get("rawSelector") or ""
    try:
        return (read(text), True) if text else ((), True)
    except SelectorError:
        return (), False


def shown(found: Selected) -> Object:
    """As a review carries it."""
    return {"requirements": [_requirement(*one) for one in found]}


def _requirement(key: str, operator: str, values: Iterable[str]) -> Object:
    return {"key": key, "operator": operator, **({"values": [*values]} if values else {})}


def ignored(name: str, found: Selected) -> str:
    """The words for a selector of a review that could not be read as a whole."""
    return f"spec.resourceAttributes.{name} {'partially ' if found else ''}ignored due to parse error"
