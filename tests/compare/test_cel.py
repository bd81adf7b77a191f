"""The expressions of `expressions.txt` as rules of CustomResourceDefinitions: whether they compile, what they say."""

import itertools
import re
import time
from pathlib import Path
from typing import Any

import pytest
from same import Both, Pair

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
EXPRESSIONS = (Path(__file__).parent / "expressions.txt").read_text().split("\n")[:-1]
PRICED = (Path(__file__).parent / "prices.txt").read_text().split("\n")[:-1]
MOST = 1_000_000  # items of a list: so that the message has the price of one in it
AT_ONCE = 60  # rules of a definition
MADE_UP = re.compile(r"selfType\d+")  # how types of objects are called
Object = dict[str, Any]
Rules = dict[int, str]
LONG, INT, OBJ = {"type": "string"}, {"type": "integer"}, {"type": "object"}
TEXT = {**LONG, "maxLength": 20}


def listed(items: Object, **more: Any) -> Object:
    return {
        "type": "array",
        "items": items,
        "maxItems": 5,
        **{f"x-kubernetes-{name}": one for name, one in more.items()},
    }


def mapped(values: Object) -> Object:
    return {**OBJ, "additionalProperties": values, "maxProperties": 5}


def obj(**properties: Any) -> Object:
    return {**OBJ, "properties": properties}


SELF = obj(
    s=TEXT, e=TEXT, i=INT, n={"type": "number"}, b={"type": "boolean"}, l=listed(TEXT), o=obj(x=TEXT, y=TEXT),
    m=mapped(INT),
    t={**TEXT, "format": "date-time"}, dt={**TEXT, "format": "date"}, d={**TEXT, "format": "duration"},
    by={**TEXT, "format": "byte"}, ll=listed(listed(TEXT)), ls=listed(obj(k=TEXT, v=TEXT)), ml=mapped(listed(TEXT)),
    mm=mapped(mapped(INT)), ios={"x-kubernetes-int-or-string": True}, st=listed(TEXT, **{"list-type": "set"}),
    lm=listed({**obj(k=TEXT, v=TEXT), "required": ["k"]}, **{"list-type": "map", "list-map-keys": ["k"]}),
    u={**OBJ, "x-kubernetes-preserve-unknown-fields": True}, i32={**INT, "format": "int32"},
    i64={**INT, "format": "int64"},
    f={"type": "number", "format": "float"}, lo=obj(a=TEXT), big=LONG, lb={"type": "array", "items": TEXT},
    ob=obj(x=LONG),
    em={**OBJ, "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
)  # fmt: skip
VALUE = {
    "s": "x", "e": "", "i": 3, "n": 1.5, "b": True, "l": ["a", "b"], "o": {"x": "a"}, "m": {"a": 1},
    "t": "2020-01-01T00:00:00Z", "dt": "2020-01-01", "d": "1h", "by": "YWI=", "ll": [["a"], ["b"]],
    "ls": [{"k": "a", "v": "1"}], "ml": {"a": ["x"]}, "mm": {"a": {"b": 1}}, "ios": 5, "st": ["a", "b"],
    "lm": [{"k": "a", "v": "p"}, {"k": "b", "v": "q"}], "u": {"x": 1}, "i32": 5, "i64": 7, "f": 2.5, "lo": {"a": "q"},
    "em": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "n"}, "spec": {"a": 1}},
}  # fmt: skip


def definition(plural: str, rules: dict[int, Object], most: int = 0) -> Object:
    """Each rule is of a field of its own; of `most` items with such fields if that is given."""
    fields = {f"f{at}": {**SELF, "x-kubernetes-validations": [rule]} for at, rule in rules.items()}
    if most:
        fields = {"items": {"type": "array", "maxItems": most, "items": obj(**fields)}}
    names = {"plural": plural, "kind": plural[:-1].capitalize()}
    schema = {"openAPIV3Schema": obj(spec=obj(**fields))}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.cel.example.com"},
        "spec": {"group": "cel.example.com", "scope": "Namespaced", "names": names,
                 "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]},
    }  # fmt: skip


def causes(document: Object) -> dict[int, list[tuple[str, str]]]:
    """What is said of each rule; not which of them are dearest together, as that hangs on all of them."""
    found: dict[int, list[tuple[str, str]]] = {}
    for cause in (document.get("details") or {}).get("causes") or ():
        match = re.search(r"\bf(\d+)\b", cause["field"])
        if match is not None and "contributed to estimated rule cost" not in cause["message"]:
            said = MADE_UP.sub("selfType0", cause["message"])
            found.setdefault(int(match[1]), []).append((cause["reason"], said))
    return found


def compare(pair: Pair, rules: Rules) -> tuple[list[str], dict[int, list[tuple[str, str]]]]:
    theirs, ours = causes(pair.kube.document), causes(pair.kybern.document)
    wrong = [
        f"{rules[at]}\n  kube:   {theirs.get(at)}\n  kybern: {ours.get(at)}"
        for at in rules
        if theirs.get(at) != ours.get(at)
    ]
    return wrong, theirs


@pytest.mark.parametrize("start", range(0, len(EXPRESSIONS), AT_ONCE))
def test_expressions(both: Both, start: int) -> None:
    """Each is a rule alone; and compared and shown, for what it evaluates to."""
    rules = dict(itertools.islice(enumerate(EXPRESSIONS), start, start + AT_ONCE))
    alone = definition("alones", {at: {"rule": text} for at, text in rules.items()})
    wrong, theirs = compare(both.ask("POST", f"{CRDS}?dryRun=All", alone), rules)
    rules = {
        at: text
        for at, text in rules.items()
        if all("must evaluate to a bool" in said for _, said in theirs.get(at, ()))
    }
    shown = {
        at: {"rule": f"dyn({text}) == 'zz'", "messageExpression": f"'%s'.format([dyn({text})])"}
        for at, text in rules.items()
    }
    plural = f"celrun{chr(97 + start // AT_ONCE)}s"
    more, theirs = compare(both.ask("POST", f"{CRDS}?dryRun=All", definition(plural, shown)), rules)
    wrong += more
    rules = {at: text for at, text in rules.items() if at not in theirs}
    assert both.ask("POST", CRDS, definition(plural, {at: shown[at] for at in rules})).kube.status == 201
    path = f"/apis/cel.example.com/v1/namespaces/compare-cel/{plural}"
    for _ in range(100):
        pair = both.ask("GET", path)
        if pair.kube.status == pair.kybern.status == 200:
            break
        time.sleep(0.05)
    both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "compare-cel"}})
    thing = {
        "apiVersion": "cel.example.com/v1",
        "kind": plural[:-1].capitalize(),
        "metadata": {"name": "a"},
        "spec": {f"f{at}": VALUE for at in rules},
    }
    pair = both.ask("POST", f"{path}?dryRun=All", thing)
    assert pair.kube.status == 422
    wrong += compare(pair, rules)[0]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("start", range(0, len(PRICED), AT_ONCE))
def test_prices(both: Both, start: int) -> None:
    """What a rule costs at most: the message says how many times too much."""
    rules = {at: f"dyn({text}) == 1" for at, text in enumerate(PRICED[start : start + AT_ONCE])}
    priced = definition("priced", {at: {"rule": text} for at, text in rules.items()}, MOST)
    wrong, theirs = compare(both.ask("POST", f"{CRDS}?dryRun=All", priced), rules)
    assert len(theirs) > AT_ONCE // 4
    assert not wrong, "\n".join(wrong)
