"""The algebra of field sets against plain sets of paths, and the form that clients see."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube.managed_fields import field_set
from kybern.kube.managed_fields.field_set import (
    decode,
    difference,
    from_paths,
    has,
    intersection,
    paths,
    readable,
    without,
)
from kybern.kube.managed_fields.field_set import union as joined

PARTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"1"'])
SETS = st.frozensets(st.lists(PARTS, min_size=1, max_size=3).map(tuple), max_size=8)


def as_paths(tree: dict[str, Any]) -> frozenset[tuple[str, ...]]:
    return frozenset(paths(tree))


@given(SETS)
def test_a_set_is_its_paths(some: frozenset[tuple[str, ...]]) -> None:
    tree = from_paths(some)
    assert as_paths(tree) == some
    assert decode(tree) == tree
    assert all(has(tree, path) for path in some)


@given(SETS, SETS)
def test_algebra(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> None:
    one, two = from_paths(a), from_paths(b)
    before = (repr(one), repr(two))
    assert as_paths(joined(one, two)) == a | b
    assert as_paths(difference(one, two)) == a - b
    assert as_paths(intersection(one, two)) == a & b
    covered = {path for path in a if any(path[: len(short)] == short for short in b)}
    assert as_paths(without(one, two)) == a - covered
    assert (repr(one), repr(two)) == before


@given(SETS, SETS)
def test_equal_sets_look_equal(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> None:
    assert joined(from_paths(a), from_paths(b)) == from_paths(a | b)
    assert difference(from_paths(a), from_paths(b)) == from_paths(a - b)
    assert intersection(from_paths(a), from_paths(b)) == from_paths(a & b)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:replicas"), ".spec.replicas"),
        (("f:spec", 'k:{"name":"c"}', "f:image"), '.spec[name="c"].image'),
        (('k:{"containerPort":80,"protocol":"TCP"}',), '[containerPort=80,protocol="TCP"]'),
        (("f:finalizers", 'v:"x/y"'), '.finalizers[="x/y"]'),
        (("f:args", "i:0"), ".args[0]"),
    ],
)
def test_readable(path: tuple[str, ...], text: str) -> None:
    assert readable(path) == text


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({"f:a": {".": {}}}, {"f:a": {}}),
        ({'k:{"protocol": "TCP", "containerPort": 80}': {}}, {'k:{"containerPort":80,"protocol":"TCP"}': {}}),
        ({"v: 1": {}}, {"v:1": {}}),
    ],
)
def test_decoding_makes_one_form(raw: Any, wanted: Any) -> None:
    assert decode(raw) == wanted


@pytest.mark.parametrize("raw", [[], {"x:a": {}}, {"k:[]": {}}, {"k:{": {}}, {"f:a": 1}, {"i:x": {}}])
def test_decoding_refuses(raw: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(raw)


def test_level_by_level() -> None:
    tree = from_paths([("f:b", "f:c"), ("f:d",), ("f:a", "f:z"), ("f:a",)])
    assert list(field_set.paths(tree)) == [("f:a",), ("f:d",), ("f:a", "f:z"), ("f:b", "f:c")]


def test_in_order() -> None:
    node = {"f:b": {}, ".": {}, "f:a": {'k:{"n":"y"}': {"f:n": {}, ".": {}}, 'k:{"n":"x"}': {}}}
    assert orjson.dumps(field_set.in_order(node)) == orjson.dumps(node, option=orjson.OPT_SORT_KEYS)
