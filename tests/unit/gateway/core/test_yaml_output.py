"""YAML as Kubernetes lays it out."""

import orjson
import pytest

from kybern.gateway.core.yaml_output import compare, json_to_yaml

LAID_OUT = [
    ({"a": "n", "b": "yes", "c": "1", "d": "1.5", "e": "x", "f": "", "g": "null", "h": "true"},
     'a: "n"\nb: "yes"\nc: "1"\nd: "1.5"\ne: x\nf: ""\ng: "null"\nh: "true"\n'),
    ({"t": "2026-01-01T00:00:00Z", "s": "22:30"}, 's: "22:30"\nt: "2026-01-01T00:00:00Z"\n'),
    ({"a": "x: y", "b": "# c", "c": "'q'"}, "a: 'x: y'\nb: '# c'\nc: '''q'''\n"),
    ({"a": "one\ntwo\n", "b": []}, "a: |\n  one\n  two\nb: []\n"),
    ({"list": [{"a": 1}, None, {}]}, "list:\n- a: 1\n- null\n- {}\n"),
    ({"message": "word " * 17 + "end"}, "message: " + "word " * 14 + "word\n  word word end\n"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), LAID_OUT)
def test_layout(value: object, wanted: str) -> None:
    assert json_to_yaml(orjson.dumps(value)).decode() == wanted


@pytest.mark.parametrize("ordered", [[".", "f:a"], ["a2", "a10"], ["k:{}", "ka"], ["a", "ab"], ["a1", "a01b"]])
def test_order_of_keys(ordered: list[str]) -> None:
    assert compare(*ordered) < 0 < compare(*reversed(ordered))
