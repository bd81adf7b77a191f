"""The order of members that a patch leaves: sorted where it went, as it was elsewhere."""

import json
from typing import Any

import pytest

from kybern.kube.patch import member_order

OBJECT: dict[str, Any] = {
    "b": {"z": 1, "y": {"q": 1, "p": 2}},
    "a": [{"d": 1, "c": {"n": 1, "m": 2}}, {"d": 1, "c": 2}],
}
MERGED = {
    "nothing": ({}, '{"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}],"b":{"z":1,"y":{"q":1,"p":2}}}'),
    "one deep": ({"b": {}}, '{"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}],"b":{"y":{"q":1,"p":2},"z":1}}'),
    "two deep": (
        {"b": {"y": {"q": 1}}},
        '{"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}],"b":{"y":{"p":2,"q":1},"z":1}}',
    ),
    "no map": (
        {"b": 3, "x": {"y": 1}},
        '{"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}],"b":{"z":1,"y":{"q":1,"p":2}}}',
    ),
}
STEPPED = {
    "nothing": ([], '{"b":{"z":1,"y":{"q":1,"p":2}},"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}]}'),
    "top": (["/b"], '{"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}],"b":{"z":1,"y":{"q":1,"p":2}}}'),
    "in a list": (["/a/0/c"], '{"a":[{"c":{"n":1,"m":2},"d":1},{"d":1,"c":2}],"b":{"z":1,"y":{"q":1,"p":2}}}'),
    "behind a list": (
        ["/a/-", "/a/9/c"],
        '{"a":[{"d":1,"c":{"n":1,"m":2}},{"d":1,"c":2}],"b":{"z":1,"y":{"q":1,"p":2}}}',
    ),
    "two": (["/b/y", "/a/1/c"], '{"a":[{"d":1,"c":{"n":1,"m":2}},{"c":2,"d":1}],"b":{"y":{"q":1,"p":2},"z":1}}'),
}


def text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


@pytest.mark.parametrize(("patch", "wanted"), MERGED.values(), ids=MERGED)
def test_of_a_merge_patch(patch: Any, wanted: str) -> None:
    assert text(member_order.merged(OBJECT, patch)) == wanted


@pytest.mark.parametrize(("paths", "wanted"), STEPPED.values(), ids=STEPPED)
def test_of_a_json_patch(paths: list[str], wanted: str) -> None:
    assert text(member_order.stepped(OBJECT, [{"op": "add", "path": path} for path in paths])) == wanted
