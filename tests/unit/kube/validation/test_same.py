"""What counts as no change."""

from typing import Any

import pytest

from kybern.kube.validation.fields import same


@pytest.mark.parametrize(
    ("new", "old", "name", "wanted"),
    [
        (None, {}, "", True),
        ({"a": None}, {}, "spec", True),
        ({"a": ""}, {}, "spec", True),  # of a struct
        ({"a": ""}, {}, "parameters", False),  # of a map
        ({"matchLabels": {"a": "b", "c": ""}}, {"matchLabels": {"a": "b"}}, "nodeTopology", False),
        ({"matchLabels": {}}, {}, "nodeTopology", True),
        ([{"labels": {"x": ""}}], [{"labels": {}}], "", False),
        ([1, 2], [2, 1], "", False),
    ],
)
def test_same(new: Any, old: Any, name: str, wanted: bool) -> None:
    assert same(new, old, name) is wanted
    assert same(old, new, name) is wanted
