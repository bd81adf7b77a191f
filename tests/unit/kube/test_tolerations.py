"""Tolerations from two places: what another one includes is left out."""

from typing import Any

import pytest

from kybern.kube.tolerations import merged

ALL, K, V = {"operator": "Exists"}, {"key": "k", "operator": "Exists"}, {"key": "k", "value": "v"}
SOON = {**K, "effect": "NoExecute", "tolerationSeconds": 5}


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        ([], [K], [K]),
        ([K], [K], [K]),
        ([ALL], [K], [ALL]),
        ([V], [K], [K]),
        ([K], [V], [K]),
        ([SOON], [K], [K]),
        ([SOON], [{**SOON, "tolerationSeconds": 9}], [{**SOON, "tolerationSeconds": 9}]),
        ([V], [{**V, "value": "w"}], [V, {**V, "value": "w"}]),
        ([{**V, "effect": "NoSchedule"}], [{**V, "effect": "NoExecute"}],
         [{**V, "effect": "NoSchedule"}, {**V, "effect": "NoExecute"}]),
    ],
)  # fmt: skip
def test_merged(first: list[Any], second: list[Any], wanted: list[Any]) -> None:
    assert merged(first, second) == wanted
