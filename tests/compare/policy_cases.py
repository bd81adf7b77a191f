"""Policies put to work in namespaces of their own, many at once: both servers take a while to hear of each."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from same import Both, differences, readable

Object = dict[str, Any]
Ask = tuple[Any, ...]  # of `Both.ask`
GROUP = "/apis/admissionregistration.k8s.io/v1"
MAPS, PODS = "/api/v1/namespaces/{ns}/configmaps", "/api/v1/namespaces/{ns}/pods"
SETTLE = 3.0  # seconds until both have heard of all policies
APPLY = {"Content-Type": "application/apply-patch+yaml"}
APPLIED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "b"}}
NEW: Ask = ("POST", MAPS + "?dryRun=All", {"metadata": {"name": "x"}, "data": {"k": "v"}})
OLD: Ask = ("POST", MAPS, {"metadata": {"name": "old"}, "data": {"a": "b"}})
EVERY: list[Ask] = [
    NEW,
    ("PATCH", MAPS + "/old?dryRun=All", {"data": {"z": "1"}}),
    ("PUT", MAPS + "/old?dryRun=All", {"metadata": {"name": "old"}, "data": {"q": "1"}}),
    ("DELETE", MAPS + "/old?dryRun=All"),
    ("PATCH", MAPS + "/applied?dryRun=All&fieldManager=me&force=true", APPLIED, APPLY),
]


def rule(group: str, version: str, *resources: str, **more: Any) -> Object:
    given = {"apiGroups": [group], "apiVersions": [version], "operations": ["*"], "resources": list(resources)}
    return {**given, **more}


@dataclass(frozen=True)
class Case:
    """Policies (kind, spec, specs of bindings), what there is before, what is asked; `{ns}` is the namespace."""

    policies: list[tuple[str, Object, list[Object]]]
    asks: list[Ask]
    before: tuple[Ask, ...] = ()


def validating(
    *validations: str | Object, binding: Object | list[Object] | None = None, asks: list[Ask] | None = None, **spec: Any
) -> Case:
    found = [one if isinstance(one, dict) else {"expression": one} for one in validations]
    bindings = binding if isinstance(binding, list) else [binding or {}]
    return Case([("validating", {"validations": found, **spec}, bindings)], asks or EVERY, (OLD,))


def change(text: str) -> Object:
    """A mutation, of the kind that its expression is of."""
    if text.startswith("["):
        return {"patchType": "JSONPatch", "jsonPatch": {"expression": text}}
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": text}}


def mutating(*texts: str, binding: Object | None = None, asks: list[Ask] | None = None, **spec: Any) -> Case:
    mutations = [change(text) for text in texts]
    return Case([("mutating", {"mutations": mutations, **spec}, [binding or {}])], asks or EVERY, (OLD,))


def _in(value: Any, namespace: str) -> Any:
    return json.loads(json.dumps(value).replace("{ns}", namespace))


def compare(both: Both, prefix: str, cases: Mapping[str, Case]) -> None:
    """Each case in a namespace of its own; every answer has to agree."""
    wrong: list[str] = []
    made: list[str] = []
    for number, (name, case) in enumerate(cases.items()):
        namespace = f"{prefix}{number}"
        both.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        both.ask("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
        for ask in case.before:
            wrong += [f"{name}: before {line}" for line in both.diff(*_in(ask, namespace))]
    for number, (name, case) in enumerate(cases.items()):
        namespace = f"{prefix}{number}"
        for at, (kind, given, bindings) in enumerate(case.policies):
            found, policy = _put_to_work(both, kind, f"{namespace}-{at}", _in(given, namespace), namespace)
            wrong += [f"{name}: {line}" for line in found]
            made.append(policy)
            for index, binding in enumerate(bindings):
                spec = {"policyName": f"{namespace}-{at}", **_in(binding, namespace)}
                if kind == "validating":
                    spec.setdefault("validationActions", ["Deny"])
                path = f"{GROUP}/{kind}admissionpolicybindings"
                body = {"metadata": {"name": f"{namespace}-{at}-{index}"}, "spec": spec}
                wrong += [f"{name}: binding {line}" for line in both.diff("POST", path, body)]
                made.append(f"{path}/{namespace}-{at}-{index}")
    time.sleep(SETTLE)
    for number, (name, case) in enumerate(cases.items()):
        for ask in case.asks:
            method, path, *rest = _in(ask, f"{prefix}{number}")
            pair = both.ask(method, path, *rest)
            found = differences(readable(pair.kube), readable(pair.kybern))
            wrong += [f"{name}: {method} {path}: {line}" for line in found]
    for path in made:
        both.ask("DELETE", path)
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(line[:1000] for line in wrong[:30])


def _put_to_work(both: Both, kind: str, name: str, spec: Object, namespace: str) -> tuple[list[str], str]:
    constraints = spec.setdefault("matchConstraints", {"resourceRules": [rule("", "v1", "configmaps")]})
    constraints.setdefault("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": namespace}})
    if kind == "mutating":
        spec.setdefault("reinvocationPolicy", "Never")
    path = f"{GROUP}/{kind}admissionpolicies"
    return both.diff("POST", path, {"metadata": {"name": name}, "spec": spec}), f"{path}/{name}"
