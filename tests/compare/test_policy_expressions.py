"""The expressions of `policy_expressions.txt` in policies, webhooks and classes of devices: what is said of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from same import Both, Pair

Object = dict[str, Any]
GROUP = "/apis/admissionregistration.k8s.io/v1"
AT_ONCE = 20
MADE_UP = re.compile(r"selfType\d+")
_TEXT = (Path(__file__).parent / "policy_expressions.txt").read_text()
SAID, WRITTEN, CHOSEN = ([*filter(None, part.split("\n")[1:])] for part in re.split(r"(?m)^#", _TEXT)[1:])
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
VARIABLES = {
    "a": "1", "s": "'x'", "l": "[1, 2]", "o": "object.spec", "r": "request", "q": "quantity('1')", "m": "{'a': [1]}",
    "d": "duration('1s')",
}  # fmt: skip


def policy(kind: str, **spec: Any) -> Object:
    variables = [{"name": name, "expression": text} for name, text in VARIABLES.items()]
    common = {"matchConstraints": {"resourceRules": [RULE]}, "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}}
    return {"kind": kind, "metadata": {"name": "p"}, "spec": {**common, "variables": variables, **spec}}


def validating(place: str, texts: list[str]) -> Object:
    spec: Object = {"validations": [{"expression": "true"}]}
    match place:
        case "validations":
            spec["validations"] = [{"expression": text} for text in texts]
        case "messages":
            spec["validations"] = [{"expression": "true", "messageExpression": text} for text in texts]
        case "conditions":
            spec["matchConditions"] = [{"name": f"c{at}", "expression": text} for at, text in enumerate(texts)]
        case "annotations":
            spec["auditAnnotations"] = [{"key": f"k{at}", "valueExpression": text} for at, text in enumerate(texts)]
        case "variables":
            spec["variables"] = [{"name": f"v{at}", "expression": text} for at, text in enumerate(texts)]
    return policy("ValidatingAdmissionPolicy", **spec)


def causes(document: Object) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cause in (document.get("details") or {}).get("causes") or ():
        found.setdefault(cause["field"], []).append(f"{cause['reason']}: {MADE_UP.sub('T', cause['message'])}")
    return found


def compare(pair: Pair) -> None:
    theirs, ours = causes(pair.kube.document), causes(pair.kybern.document)
    wrong = [
        f"{field}\n  kube:   {theirs.get(field)}\n  kybern: {ours.get(field)}"
        for field in sorted({*theirs, *ours})
        if theirs.get(field) != ours.get(field)
    ]
    assert not wrong, "\n".join(wrong)
    assert pair.kube.status == pair.kybern.status


@pytest.mark.parametrize("place", ["validations", "messages", "conditions", "annotations", "variables"])
@pytest.mark.parametrize("start", range(0, len(SAID), AT_ONCE))
def test_validating(both: Both, start: int, place: str) -> None:
    body = validating(place, SAID[start : start + AT_ONCE])
    compare(both.ask("POST", f"{GROUP}/validatingadmissionpolicies?dryRun=All", body))


@pytest.mark.parametrize("start", range(0, len(SAID), AT_ONCE))
def test_webhooks(both: Both, start: int) -> None:
    conditions = [{"name": f"c{at}", "expression": text} for at, text in enumerate(SAID[start : start + AT_ONCE])]
    hook = {
        "name": "a.b.c", "clientConfig": {"url": "https://a.b/"}, "sideEffects": "None",
        "admissionReviewVersions": ["v1"], "matchConditions": conditions,
    }  # fmt: skip
    body = {"metadata": {"name": "p"}, "webhooks": [hook]}
    compare(both.ask("POST", f"{GROUP}/validatingwebhookconfigurations?dryRun=All", body))


@pytest.mark.parametrize(("kind", "member"), [("ApplyConfiguration", "applyConfiguration"), ("JSONPatch", "jsonPatch")])
@pytest.mark.parametrize("start", range(0, len(WRITTEN), AT_ONCE))
def test_mutating(both: Both, start: int, kind: str, member: str) -> None:
    mutations = [{"patchType": kind, member: {"expression": text}} for text in WRITTEN[start : start + AT_ONCE]]
    written = {"name": "w", "expression": "Object{metadata: Object.metadata{}}"}
    known = [{"name": "a", "expression": "1"}, {"name": "o", "expression": "object.spec"}, written]
    spec = {"reinvocationPolicy": "Never", "variables": known, "mutations": mutations}
    body = policy("MutatingAdmissionPolicy", **spec)
    compare(both.ask("POST", f"{GROUP}/mutatingadmissionpolicies?dryRun=All", body))


@pytest.mark.parametrize("expression", CHOSEN)
def test_devices(both: Both, expression: str) -> None:
    body = {"metadata": {"name": "x"}, "spec": {"selectors": [{"cel": {"expression": expression}}]}}
    compare(both.ask("POST", "/apis/resource.k8s.io/v1/deviceclasses?dryRun=All", body))
