"""Which nodes a pod's selector and required affinity admit."""

from typing import Any

import pytest

from kybern.kube.node_affinity import admits

NODE = {"metadata": {"name": "n1", "labels": {"zone": "a", "cores": "8"}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


IN_A = {"matchExpressions": [expression("zone", "In", "a")]}
IN_B = {"matchExpressions": [expression("zone", "In", "b")]}
NAMED = {"matchFields": [expression("metadata.name", "In", "n1")]}
OTHER = {"matchFields": [expression("metadata.name", "NotIn", "n1")]}


@pytest.mark.parametrize(
    ("spec", "admitted"),
    [
        ({}, True),
        ({"nodeSelector": {"zone": "a"}}, True),
        ({"nodeSelector": {"zone": "a", "disk": "ssd"}}, False),
        (affinity(IN_B, IN_A), True),
        (affinity(IN_B), False),
        (affinity(NAMED), True),
        (affinity({**IN_A, **OTHER}), False),
        (affinity({"matchExpressions": [expression("cores", "Gt", "4")]}), True),
        (affinity({"matchExpressions": [expression("cores", "Gt", "many")]}), False),
        (affinity({}), False),
        (affinity(), False),
        ({"nodeSelector": {"zone": "b"}, **affinity(IN_A)}, False),
        ({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}}, True),
    ],
)
def test_admits(spec: dict[str, Any], admitted: bool) -> None:
    assert admits(spec, NODE) == admitted
