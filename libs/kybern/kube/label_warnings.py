"""Warnings of labels of nodes that have other names now, wherever nodes are chosen by their labels."""

from collections.abc import Iterator
from typing import Any

from kybern.kube.validation.fields import items
from kybern.kube.validation.names import label_value

Object = dict[str, Any]
_ARCH, _OS = "kubernetes.io/arch", "kubernetes.io/os"
_REGION, _ZONE = "topology.kubernetes.io/region", "topology.kubernetes.io/zone"
# Labels of nodes that have new names: since when, and which.
RENAMED = {
    "beta.kubernetes.io/arch": f'deprecated since v1.14; use "{_ARCH}" instead',
    "beta.kubernetes.io/os": f'deprecated since v1.14; use "{_OS}" instead',
    "failure-domain.beta.kubernetes.io/region": f'deprecated since v1.17; use "{_REGION}" instead',
    "failure-domain.beta.kubernetes.io/zone": f'deprecated since v1.17; use "{_ZONE}" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
}


def renamed(key: str) -> str:
    return f"{key} is {RENAMED[key]}"


def node_term(term: Object, path: str, *, checked: bool = False) -> Iterator[str]:
    """`checked`: values that no label can have are said here, as validation lets them pass."""
    for index, expression in enumerate(items(term, "matchExpressions")):
        at = f"{path}.matchExpressions[{index}]"
        if expression.get("key") in RENAMED:
            yield f"{at}.key: {renamed(expression['key'])}"
        for position, value in enumerate(items(expression, "values") if checked else ()):
            if problems := label_value(value):
                yield f"{at}.values[{position}]: {value} is invalid, {' '.join(problems)}"
