"""Label selectors: grammar, wording of errors, and matching against a model that evaluates sets directly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.kube import selectors
from kybern.kube.selectors import SelectorError

MATCHES = [
    ("", {}, True),
    ("app=web", {"app": "web"}, True),
    ("app==web", {"app": "db"}, False),
    ("app!=web", {}, True),
    ("app", {"app": ""}, True),
    ("!app", {"app": "x"}, False),
    ("! app", {}, True),
    ("a in (x, y)", {"a": "y"}, True),
    ("a in (x, y)", {}, False),
    ("a notin (x,y)", {}, True),
    ("a notin (x,y)", {"a": "x"}, False),
    ("a in (,x)", {"a": ""}, True),
    ("a in ()", {"a": ""}, True),
    ("a notin ()", {"a": "x"}, True),
    ("a=", {"a": ""}, True),
    ("a>3", {"a": "4"}, True),
    ("a<3", {"a": "4"}, False),
    ("a>3", {"a": "many"}, False),
    ("in=notin", {"in": "notin"}, True),
    ("example.com/role=db,app", {"example.com/role": "db", "app": "x"}, True),
    ("a=1,b=2", {"a": "1"}, False),
]


@pytest.mark.parametrize(("text", "labels", "wanted"), MATCHES)
def test_matches(text: str, labels: dict[str, str], wanted: bool) -> None:
    assert selectors.parse(text).matches(labels) is wanted


ERRORS = {
    "a b": "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    "=x": "found '=', expected: !, identifier, or 'end of string'",
    "a=b c": "found 'c', expected: ',' or 'end of string'",
    "a,": "found '', expected: identifier after ','",
    "a in x": "unable to parse requirement: found 'x' expected: '('",
    "a in (x": "unable to parse requirement: found '', expected: ',' or ')'",
    "a>x": 'unable to parse requirement: values[0]: Invalid value: "x": '
    "for 'Gt', 'Lt' operators, the value must be an integer",
    "!": "unable to parse requirement: found '', expected: identifier",
}


@pytest.mark.parametrize(("text", "wanted"), ERRORS.items())
def test_errors(text: str, wanted: str) -> None:
    with pytest.raises(SelectorError) as caught:
        selectors.parse(text)
    assert str(caught.value) == wanted


@pytest.mark.parametrize(
    "text", ["-a=b", "a/b/c=d", "UP.example_/a=b", "a=-", "a=" + "x" * 64, "a" * 64, "/a", "a>" + "9" * 5000]
)
def test_bad_label_syntax(text: str) -> None:
    with pytest.raises(SelectorError, match="Invalid value"):
        selectors.parse(text)


def test_label_selector_objects() -> None:
    assert not selectors.from_label_selector(None).matches({"a": "b"})
    assert selectors.from_label_selector({}).matches({"a": "b"})
    selector = selectors.from_label_selector(
        {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]}
    )
    assert selector.matches({"app": "web"})
    assert not selector.matches({"app": "web", "old": ""})
    assert str(selector) == "app=web,!old"
    with pytest.raises(SelectorError, match='"Near" is not a valid label selector operator'):
        selectors.from_label_selector({"matchExpressions": [{"key": "a", "operator": "Near"}]})


keys = st.sampled_from(["a", "b", "x.io/c"])
values = st.sampled_from(["", "1", "two", "3"])
wanted_sets = st.lists(values, min_size=1, max_size=3)
terms = st.one_of(
    st.tuples(keys, st.sampled_from(["=", "!="]), values.map(lambda v: [v])),
    st.tuples(keys, st.sampled_from(["in", "notin"]), wanted_sets),
    st.tuples(keys, st.sampled_from(["exists", "!"]), st.just([])),
)
Term = tuple[str, str, list[str]]


def model(term: Term, labels: dict[str, str]) -> bool:
    key, operator, wanted = term
    positive = {"=": True, "in": True, "exists": True, "!=": False, "notin": False, "!": False}[operator]
    universe = wanted if wanted else list(labels.values())
    return (key in labels and labels[key] in universe) is positive


def write(term: Term) -> str:
    key, operator, wanted = term
    match operator:
        case "exists":
            return key
        case "!":
            return f"!{key}"
        case "in" | "notin":
            return f"{key} {operator} ({', '.join(wanted)})"
    return f"{key}{operator}{wanted[0]}"


@given(st.lists(terms, max_size=4), st.dictionaries(keys, values))
def test_matching_agrees_with_the_model(found: list[Term], labels: dict[str, str]) -> None:
    selector = selectors.parse(",".join(map(write, found)))
    assert selector.matches(labels) == all(model(term, labels) for term in found)
    assert selectors.parse(str(selector)) == selector
