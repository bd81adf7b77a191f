"""Which taints a toleration covers."""

import pytest

from kybern.kube.tolerations import covers


@pytest.mark.parametrize(
    ("toleration", "covered"),
    [
        ({}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoSchedule"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "disk", "operator": "Exists"}, False),
        ({"key": "gpu", "value": "big"}, True),
        ({"key": "gpu", "operator": "", "value": "big", "effect": ""}, True),
        ({"key": "gpu"}, False),
        ({"key": "gpu", "operator": "Gt", "value": "big"}, False),
    ],
)
def test_covers(toleration: dict[str, str], covered: bool) -> None:
    assert covers(toleration, "gpu", "big", "NoSchedule") == covered
