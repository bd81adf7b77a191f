"""JSON patches as upstream takes them beyond RFC 6902: indexes from the end, and members of other types unread."""

from typing import Any

import pytest

from kybern.kube.patch import json as json_patch
from kybern.kube.patch import merge
from kybern.kube.patch.json_steps import Inapplicable, step
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


MISSING, ATOI = "missing value", "strconv.Atoi: parsing"
WORDS: list[tuple[dict[str, Any], str]] = [  # of an operation on {"l": [1, 2], "o": {}, "n": None}
    ({"op": "fly"}, "Unexpected kind: fly"), ({"op": "add"}, f"add operation failed to decode path: {MISSING}"),
    ({"op": "add", "path": ""}, f'add operation does not apply: doc is missing path: "": {MISSING}'),
    ({"op": "add", "path": "/x/y/z"}, f'add operation does not apply: doc is missing path: "/x/y/z": {MISSING}'),
    ({"op": "add", "path": "/n/y"}, f'add operation does not apply: doc is missing path: "/n/y": {MISSING}'),
    ({"op": "add", "path": "/l/9"},
     "error in add for path: '/l/9': Unable to access invalid index: 9: invalid index referenced"),
    ({"op": "add", "path": "/l/x"}, "error in add for path: '/l/x': value was not a proper array index: 'x': "
     f'{ATOI} "x": invalid syntax'),
    ({"op": "remove", "path": "/l/-"}, f"error in remove for path: '/l/-': {ATOI} \"-\": invalid syntax"),
    ({"op": "remove", "path": "/o/a"},
     f"error in remove for path: '/o/a': Unable to remove nonexistent key: a: {MISSING}"),
    ({"op": "replace", "path": "/l/2"}, f"replace operation does not apply: doc is missing key: /l/2: {MISSING}"),
    ({"op": "replace", "path": "/x/y"}, f"replace operation does not apply: doc is missing path: /x/y: {MISSING}"),
    ({"op": "move", "path": "/o/b", "from": "/o/a"},
     f"error in move for path: 'a': Unable to remove nonexistent key: a: {MISSING}"),
    ({"op": "copy", "path": "/o/b"}, f"copy operation failed to decode from: operation, missing from field: {MISSING}"),
    ({"op": "copy", "path": "/x/y", "from": "/l"},
     f"copy operation does not apply: doc is missing destination path: /x/y: {MISSING}"),
    ({"op": "test", "path": "/l/0", "value": True}, "testing value /l/0 failed: test failed"),
    ({"op": "test", "path": "/x/y"}, f"test operation does not apply: is missing path: /x/y: {MISSING}"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "words"), WORDS, ids=str)
def test_words(operation: dict[str, Any], words: str) -> None:
    with pytest.raises(Inapplicable) as caught:
        step({"l": [1, 2], "o": {}, "n": None}, operation)
    assert str(caught.value) == words
    assert caught.value.failed == words.endswith("test failed")


@pytest.mark.parametrize(
    ("operation", "wanted"),
    [
        ({"op": "add", "path": "passed over/a", "value": 1}, {"a": 1, "b": {"c": 2}}),
        ({"op": "add", "path": "/b/x~1y~0z", "value": 1}, {"b": {"c": 2, "x/y~z": 1}}),
        ({"op": "replace", "path": "", "value": {"z": 1}}, {"z": 1}),
        ({"op": "move", "path": "/d", "from": "/b/c"}, {"b": {}, "d": 2}),
        ({"op": "copy", "path": "/d", "from": "/b/none"}, {"b": {"c": 2}, "d": None}),
        ({"op": "test", "path": "", "value": {"b": {"c": 2}}}, {"b": {"c": 2}}),
    ],
)
def test_steps(operation: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert json_patch.apply({"b": {"c": 2}}, [operation]) == wanted


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
