"""JSON patches as upstream takes them beyond RFC 6902: indexes from the end, and members of other types unread."""

from typing import Any

import pytest

from kybern.kube.patch import json as json_patch
from kybern.kube.patch import merge
from kybern.kube.status import StatusError


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ({"op": "add", "path": "/l/-1", "value": 9}, [1, 2, 9]),  # of the list as it will be
        ({"op": "add", "path": "/l/-3", "value": 9}, [9, 1, 2]),
        ({"op": "replace", "path": "/l/-1", "value": 9}, [1, 9]),
        ({"op": "remove", "path": "/l/-2"}, [2]),
        ({"op": "copy", "path": "/l/-", "from": "/l/-2"}, [1, 2, 1]),
    ],
)
def test_indexes_from_the_end(operation: dict[str, Any], wanted: list[int]) -> None:
    assert json_patch.apply({"l": [1, 2]}, [operation]) == {"l": wanted}


def test_too_far_from_the_end() -> None:
    with pytest.raises(StatusError) as caught:
        json_patch.apply({"l": [1, 2]}, [{"op": "remove", "path": "/l/-3"}])
    assert caught.value.code == 422


def test_members_of_other_types() -> None:
    patch = [{"op": "replace", "path": "/a", "value": 2, "from": 1}]
    assert json_patch.apply({"a": 1}, patch, lenient=True) == {"a": 2}
    with pytest.raises(StatusError) as caught:
        json_patch.apply({"a": 1}, patch)
    assert (caught.value.code, "jsonPatchOp.from of type string" in caught.value.message) == (400, True)
    with pytest.raises(StatusError) as caught:
        json_patch.apply({"a": 1}, [{"op": "replace", "path": 1, "value": 2}], lenient=True)
    assert caught.value.code == 422


def test_nulls_of_a_merge_patch_in_lists() -> None:
    merged = merge.apply({"a": [1]}, {"a": [{"b": None, "c": [None, {"d": None}]}, None]})
    assert merged == {"a": [{"c": [None, {}]}, None]}
