"""ConfigMaps, Secrets, quotas, limits, endpoints, Ingresses, policies: every member odd, on create and on update."""

import json
from typing import Any

import pytest
from mutations import mutations
from same import Both, differences, readable

from kybern.kube import schema

Object = dict[str, Any]
LIMIT = {"max": {"cpu": "4"}, "min": {"cpu": "1"}}
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
SELECTOR = {"podSelector": {"matchLabels": {"a": "b"}}}
BASES: dict[tuple[str, str, str], list[Object]] = {
    ("", "v1", "ConfigMap"): [
        {"data": {"a": "b"}, "binaryData": {"c": "aGVsbG8="}},
        {"data": {"a": "b"}, "binaryData": {"c": "aGVsbG8="}, "immutable": True},
    ],
    ("", "v1", "Secret"): [
        {"data": {"a": "aGVsbG8="}, "stringData": {"b": "c"}},
        {"data": {"a": "aGVsbG8="}, "immutable": True, "type": "Opaque"},
        {"data": {".dockercfg": "e30="}, "type": "kubernetes.io/dockercfg"},
        {"data": {"tls.crt": "", "tls.key": ""}, "type": "kubernetes.io/tls"},
        {"data": {"username": "YQ=="}, "type": "kubernetes.io/basic-auth"},
    ],
    ("", "v1", "LimitRange"): [
        {"spec": {"limits": [{"type": "Container", **LIMIT, "default": {"cpu": "3"}, "defaultRequest": {"cpu": "2"},
                              "maxLimitRequestRatio": {"cpu": "2"}}]}},
        {"spec": {"limits": [{"type": "Pod", **LIMIT}]}},
        {"spec": {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "4"}}]}},
    ],
    ("", "v1", "ResourceQuota"): [
        {"spec": {"hard": {"cpu": "1", "pods": "4"}}},
        {"spec": {"hard": {"pods": "4"}, "scopes": ["BestEffort"]}},
        {"spec": {"hard": {"pods": "4"}, "scopeSelector": {"matchExpressions": [
            {"scopeName": "PriorityClass", "operator": "In", "values": ["a"]}]}}},
    ],
    ("", "v1", "Endpoints"): [
        {"subsets": [{"addresses": [{"ip": "10.0.0.1", "hostname": "h", "nodeName": "n"}],
                      "notReadyAddresses": [{"ip": "10.0.0.2"}], "ports": [{"name": "p", "port": 80}]}]},
    ],
    ("networking.k8s.io", "v1", "Ingress"): [
        {"spec": {"ingressClassName": "c", "defaultBackend": BACKEND, "tls": [{"hosts": ["a.b"], "secretName": "s"}],
                  "rules": [{"host": "a.b", "http": {
                      "paths": [{"path": "/x", "pathType": "Prefix", "backend": BACKEND}]}}]}},
    ],
    ("networking.k8s.io", "v1", "NetworkPolicy"): [
        {"spec": {**SELECTOR, "policyTypes": ["Ingress", "Egress"],
                  "ingress": [{"ports": [{"port": 80, "endPort": 90, "protocol": "TCP"}], "from": [SELECTOR]}]}},
    ],
}  # fmt: skip
CASES = [(gvk, number) for gvk, bases in BASES.items() for number in range(len(bases))]


@pytest.mark.parametrize(("gvk", "number"), CASES, ids=lambda value: value[2] if isinstance(value, tuple) else value)
def test_odd_members(both: Both, namespace: str, gvk: tuple[str, str, str], number: int) -> None:
    info = schema.kind(*gvk)
    assert info is not None
    base = BASES[gvk][number]
    group = f"/apis/{info.group}/{info.version}" if info.group else f"/api/{info.version}"
    path, wrong = f"{group}/namespaces/{namespace}/{info.resource}", []

    def ask(method: str, at: str, body: Object) -> None:
        pair = both.ask(method, at, body)
        found = differences(readable(pair.kube), readable(pair.kybern))
        if found:
            wrong.append("\n".join([f"{method} {json.dumps(body)[:400]}", *found]))

    for index, odd in enumerate(mutations(gvk, base)):
        ask("POST", path, {**odd, "metadata": {"name": f"c{index}"}})
        both.ask("DELETE", f"{path}/c{index}")
        both.ask("POST", path, {**base, "metadata": {"name": f"u{index}"}})
        ask("PUT", f"{path}/u{index}", {**odd, "metadata": {"name": f"u{index}"}})
        both.ask("DELETE", f"{path}/u{index}")
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:10])
