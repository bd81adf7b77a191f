"""Documents that are small on the wire and large in memory."""

import time

import orjson
import pytest
import yaml

from kybern.kube.document_limits import DEEPEST, TooDeep, check_depth, load_yaml


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def lists(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("make", [nested, lists])
@pytest.mark.parametrize("known", [True, False])
def test_depth(make, known: bool) -> None:
    data = make(DEEPEST)
    check_depth(orjson.loads(data), data if known else None)
    data = make(DEEPEST + 1)
    with pytest.raises(TooDeep, match="exceeded max depth of 200"):
        check_depth(orjson.loads(data), data if known else None)


def test_brackets_in_text_are_no_depth() -> None:
    data = orjson.dumps({"a": "[{" * 1000})
    check_depth(orjson.loads(data), data)


def laughs(levels: int, width: int = 10) -> bytes:
    """Each level repeats the one before."""
    lines = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    return "\n".join(["a0: &a0 [x]", *lines]).encode()


def test_aliases_that_multiply_are_refused_at_once() -> None:
    started = time.monotonic()
    with pytest.raises(yaml.YAMLError, match="document contains excessive aliasing"):
        load_yaml(laughs(30), yaml.CSafeLoader)
    assert time.monotonic() - started < 1


def test_an_anchor_that_holds_itself_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="contains itself"):
        load_yaml(b"a: &a [*a]", yaml.CSafeLoader)
    with pytest.raises(yaml.YAMLError, match="contains itself"):
        load_yaml(b"a: &a {b: {c: *a}}", yaml.CSafeLoader)


def test_ordinary_aliases_are_fine() -> None:
    data = b"base: &base {x: 1, y: [1, 2]}\none: *base\ntwo: {<<: *base, z: 3}\nthree: [*base, *base]\n"
    assert load_yaml(data, yaml.CSafeLoader)["three"] == [{"x": 1, "y": [1, 2]}] * 2
    assert load_yaml(laughs(3), yaml.CSafeLoader)["a2"]


def test_yaml_that_nests_too_deeply_is_refused() -> None:
    with pytest.raises(TooDeep):
        load_yaml(b"- " * (DEEPEST + 1) + b"x", yaml.CSafeLoader)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_500_000 + b"]" * 1_500_000,
        b"a: " + b"{a: " * 750_000,
        b"- " * 1_500_000 + b"a",
        b"a:\n" + b"".join(b" " * level + b"a:\n" for level in range(1, 2_000)),
    ],
    ids=["closed", "open", "sequences", "mappings"],
)
def test_yaml_that_nests_deeper_than_a_process_stands(data: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(TooDeep):
        load_yaml(data, yaml.CSafeLoader)
    assert time.monotonic() - started < 1


def test_documents_with_many_brackets_are_read() -> None:
    data = b"a: [" + b"[], " * 1_000 + b"{}]\nb: '[[[[" + b"[" * 1_000 + b"'"
    assert len(load_yaml(data, yaml.CSafeLoader)["a"]) == 1_001
