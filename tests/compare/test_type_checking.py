"""What a kube-controller-manager's status controller says of ValidatingAdmissionPolicies, and what Kybern does."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from policy_cases import rule
from same import Both, differences, normal
from servers import DAY, PROGRAM
from test_validating_policies import ROWS

from kybern.pki.authority import Identity, issue
from kybern.pki.files import write_bundle

Object = dict[str, Any]
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
CONTROLLERS = PROGRAM.with_name("kube-controller-manager-1.36")
CONTROLLER = "validatingadmissionpolicy-status-controller"
MADE_UP = re.compile(r"([A-Z][A-Za-z]+?)\d+(\.[a-z])")  # a kind, as the name of a type that is used once
DEPLOYMENTS, MAPS = rule("apps", "v1", "deployments"), rule("", "v1", "configmaps")
KNOWN = [{"name": "a", "expression": "object.spec.replicas"}, {"name": "b", "expression": "object.spec.nope"}]
NO = "object.nope > 1"
MANY = ("configmaps", "secrets", "pods", "services", "endpoints", "events", "nodes", "namespaces", "limitranges",
        "resourcequotas", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims")  # fmt: skip


@contextmanager
def status_controller(both: Both) -> Iterator[None]:
    """The one controller, beside the kube-apiserver."""
    folder, ca = both.kube.folder, both.kube.ca
    write_bundle(folder / "controllers", issue(ca, Identity("root", ("system:masters",)), DAY, datetime.now(UTC)))
    pem = str(folder / "controllers/tls.pem")
    cluster = {"server": f"https://127.0.0.1:{both.kube.port}", "insecure-skip-tls-verify": True}
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "x",
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": {"client-certificate": pem, "client-key": pem}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }  # fmt: skip
    (folder / "controllers.json").write_text(json.dumps(config))
    command = [
        str(CONTROLLERS), f"--kubeconfig={folder}/controllers.json", f"--controllers={CONTROLLER}",
        "--leader-elect=false", "--secure-port=0",
    ]  # fmt: skip
    with (folder / "controllers.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def spec(*texts: str | Object, rules: tuple[Object, ...] = (DEPLOYMENTS,), **more: Any) -> Object:
    validations = [text if isinstance(text, dict) else {"expression": text} for text in texts]
    return {"matchConstraints": {"resourceRules": list(rules)}, "validations": validations, **more}


def specs() -> dict[str, Object]:
    found = {}
    for text in ROWS["expressions that are type-checked"]:
        param = {"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}} if "params" in text else {}
        found[text] = spec(text, variables=KNOWN, **param)
    found |= {
        f"{group}/{version} {resources}": spec(NO, "object.data.x == 1", rules=(rule(group, version, *resources),))
        for group, version, resources in (
            ("*", "*", ["*"]), ("apps", "*", ["deployments"]), ("*", "v1", ["deployments"]), ("apps", "v1", ["*"]),
            ("apps", "v1", ["deployments/scale"]), ("apps", "v1", ["deployments/status", "deployments"]),
            ("nope", "v1", ["nopes"]), ("", "v1", MANY), ("", "v1", ["events"]), ("", "v1", ["secrets", "pods"]),
            ("apiextensions.k8s.io", "v1", ["customresourcedefinitions"]), ("autoscaling", "v2", ["*"]))
    }  # fmt: skip
    found["several rules"] = spec(NO, rules=(DEPLOYMENTS, MAPS, DEPLOYMENTS))
    found["custom"] = spec(
        NO, "object.spec.n == 'x'", "object.spec.l[0].x == 1", "object.spec.any.x == 1", "object.metadata.labels == 1",
        "object.spec.ios == 1", "object.spec.t == 1", "object.status.x == 1", rules=(rule("typed.io", "v1", "things"),),
    )  # fmt: skip
    for version, kind in (("typed.io/v1", "Thing"), ("v1", "ConfigMap"), ("v1", "Nope")):
        param = {"paramKind": {"apiVersion": version, "kind": kind}}
        found[f"params {kind}"] = spec("params.spec.nope == 1", "params.data.x == 1", "params.metadata == 1", **param)
    found["messages"] = spec(
        {"expression": "object.spec.replicas > 1", "messageExpression": "'a' + object.spec.nope"},
        {"expression": NO, "messageExpression": "string(object.nope)"},
    )
    return found


ITEM = {"type": "object", "properties": {"a": {"type": "string"}}}
MEMBERS = {
    "n": {"type": "integer"},
    "l": {"type": "array", "items": ITEM},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "ios": {"x-kubernetes-int-or-string": True},
    "t": {"type": "string", "format": "date-time"},
}
SCHEMA = {"type": "object", "properties": {"spec": {"type": "object", "properties": MEMBERS}}}
DEFINITION = {
    "metadata": {"name": "things.typed.io"},
    "spec": {
        "group": "typed.io", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}],
    },
}  # fmt: skip


def checked(document: Object) -> bool:
    return bool((document.get("status") or {}).get("observedGeneration"))


def told(document: Object) -> Object:
    """The status, and who says that it is theirs."""
    status = json.loads(MADE_UP.sub(r"\1\2", json.dumps(normal(document.get("status")))))
    managers = [
        (entry["manager"], entry["operation"], entry.get("subresource"), entry["fieldsV1"])
        for entry in document["metadata"]["managedFields"]
    ]
    return {"status": status, "managers": sorted(managers, key=str)}


def test_statuses(fresh: Both) -> None:
    if not CONTROLLERS.exists():
        pytest.skip("needs tests/compare/build.sh controllers")
    fresh.same("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    time.sleep(3)  # until both serve it
    names = {}
    for number, (name, given) in enumerate(specs().items()):
        pair = fresh.ask("POST", POLICIES, {"metadata": {"name": f"typed-{number}"}, "spec": given})
        assert pair.kube.status == pair.kybern.status, name
        if pair.kube.status == 201:
            names[f"typed-{number}"] = name
    with status_controller(fresh):
        deadline = time.monotonic() + 60
        pending = [*names]
        while pending and time.monotonic() < deadline:
            time.sleep(0.5)
            pair = fresh.ask("GET", f"{POLICIES}/{pending[0]}")
            while pending and all(map(checked, (pair.kube.document, pair.kybern.document))):
                pending.pop(0)
                pair = fresh.ask("GET", f"{POLICIES}/{pending[0]}") if pending else pair
    wrong = []
    for policy, name in names.items():
        pair = fresh.ask("GET", f"{POLICIES}/{policy}")
        wrong += [f"{name}: {line}" for line in differences(told(pair.kube.document), told(pair.kybern.document))]
    assert len(names) > 60
    assert not wrong, f"{len(wrong)} differences\n" + "\n".join(wrong[:30])
