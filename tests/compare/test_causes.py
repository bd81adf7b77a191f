"""Objects with many things wrong: what is told of them, and in which order."""

from typing import Any

from bad_values import Asked
from same import Both

Object = dict[str, Any]
GROUP = "/apis/admissionregistration.k8s.io/v1"
NAMES: list[Object] = [{"name": "x"}, {"name": "A!"}, {"name": "x", "labels": {"a!": "b"}}]
ODD = {"matchLabels": {"a!": "b"}}
CAPACITIES: list[Object] = [
    {}, {"storageClassName": "A!", "capacity": "-1", "maximumVolumeSize": "-1", "nodeTopology": ODD},
    {"storageClassName": "A!", "capacity": "-1"}, {"storageClassName": "a", "nodeTopology": ODD, "capacity": "-1"},
    {"nodeTopology": {"matchExpressions": [{"key": "a!", "operator": "X"}]}, "maximumVolumeSize": "-1"},
]  # fmt: skip
ENDPOINT = {"addresses": ["x"], "hostname": "A!", "nodeName": "A!", "hints": {"forZones": [{"name": "!"}] * 2}}
PORTS = [{"name": "A!", "protocol": "X", "appProtocol": "!", "port": 0}, {"name": "A!"}]
SLICES: list[Object] = [
    {}, {"addressType": "X"}, {"addressType": "X", "endpoints": [{}], "ports": [{"protocol": "X"}]},
    {"addressType": "IPv4", "endpoints": [ENDPOINT], "ports": PORTS}, {"endpoints": [{"addresses": []}], "ports": [{}]},
    {"addressType": "IPv4", "endpoints": [{"addresses": ["1.1.1.1"], "hints": {"forZones": [{"name": "!"}] * 9}}]},
    {"addressType": "IPv4", "endpoints": [{"addresses": ["1.1.1.1"], "hints": {"forNodes": [{"name": "!"}] * 9}}]},
    {"addressType": "IPv4", "endpoints": [{"addresses": ["1.1.1.1"] * 101}]},
    {"addressType": "IPv6", "endpoints": [{"addresses": ["1.1.1.1", "127.0.0.1"]}]},
    {"addressType": "FQDN", "endpoints": [{"addresses": ["A!", "1.1.1.1"]}]},
]  # fmt: skip


def test_namespaced(both: Both, namespace: str) -> None:
    ask = Asked(both)
    for group, plural, objects in (
        ("storage.k8s.io", "csistoragecapacities", CAPACITIES), ("discovery.k8s.io", "endpointslices", SLICES)
    ):  # fmt: skip
        path = f"/apis/{group}/v1/namespaces/{namespace}/{plural}"
        made = {"metadata": {"name": "b"}, "storageClassName": "a", "addressType": "IPv4"}
        ask("made", "POST", path, made)
        for obj in objects:
            for metadata in NAMES:
                ask(f"{metadata} {obj}", "POST", f"{path}?dryRun=All", {"metadata": metadata, **obj})
            ask(f"change {obj}", "PATCH", f"{path}/b?dryRun=All", obj)
        ask("topology", "PATCH", f"{path}/b?dryRun=All", {"nodeTopology": {}, "capacity": "-1"})
    ask.check()


RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"]}
WHOLE = {
    "matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": "true"}],
    "reinvocationPolicy": "Never",
    "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{}]"}}],
}  # fmt: skip
MATCHES = {"matchPolicy": "X", "namespaceSelector": ODD, "objectSelector": ODD}
RULES = {"resourceRules": [{}], "excludeResourceRules": [{}]}
TEXT, ODD_TEXT = {"expression": "x"}, {"expression": ""}
POLICIES: list[Object] = [
    {}, {"failurePolicy": "X"}, {"paramKind": {}},
    {"paramKind": {"apiVersion": "!", "kind": "!"}, "matchConstraints": {**RULES, **MATCHES}},
    {
        "variables": [{}, {"name": "a", "expression": "1"}, {"name": "a", "expression": "x"}],
        "matchConditions": [{}, {"name": "a!", **TEXT}],
        "auditAnnotations": [{}, {"key": "a!", "valueExpression": "x"}],
        "validations": [{}, {**TEXT, "messageExpression": "x", "message": " ", "reason": "X"}],
        "mutations": [
            {}, {"patchType": "X"}, {"patchType": "JSONPatch"}, {"patchType": "JSONPatch", "applyConfiguration": TEXT},
            {"patchType": "ApplyConfiguration", "applyConfiguration": ODD_TEXT},
            {"patchType": "ApplyConfiguration", "applyConfiguration": TEXT, "jsonPatch": TEXT}],
        "reinvocationPolicy": "X",
    },
]  # fmt: skip
BINDINGS: list[Object] = [
    {}, {"policyName": "A!"}, {"policyName": "a", "paramRef": {}},
    {"policyName": "a", "paramRef": {"name": "a", "selector": ODD, "parameterNotFoundAction": "X", "namespace": "!"}},
    {"policyName": "a", "validationActions": ["Deny", "Warn", "X", "X"]},
    {"validationActions": ["Audit", "Audit"], "matchResources": {"matchPolicy": "X", "resourceRules": [{}]}},
    {"policyName": "", "paramRef": {"name": "a!"}, "validationActions": []},
]  # fmt: skip


def test_admission_policies(both: Both) -> None:
    ask = Asked(both)
    for kind in ("validating", "mutating"):
        for metadata in NAMES:
            for spec in POLICIES:
                for whole in (spec, {**WHOLE, **spec}):
                    body = {"metadata": metadata, "spec": whole}
                    ask(f"{kind} {body}", "POST", f"{GROUP}/{kind}admissionpolicies?dryRun=All", body)
            for spec in BINDINGS:
                body = {"metadata": metadata, "spec": spec}
                ask(f"{kind} {body}", "POST", f"{GROUP}/{kind}admissionpolicybindings?dryRun=All", body)
    ask.check()
