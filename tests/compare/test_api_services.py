# ruff: noqa: E501 (a case stays in one line)
"""APIServices: what may be in one, what is said of servers that cannot be reached, and what their groups answer then."""

import time
from typing import Any

import pytest
from same import Both, differences, readable
from test_crds import OBJ, crd, served

Object = dict[str, Any]
PATH = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = "v1.agg.example.com"
SPEC: Object = {"group": "agg.example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
                "service": {"name": "s", "namespace": "default"}, "insecureSkipTLSVerify": True}  # fmt: skip
SPECS: list[Object] = [
    {"group": ""}, {"group": "A_b"}, {"group": 1}, {"version": ""}, {"version": "V1"}, {"version": "v_1"}, {"version": "v2"}, {"groupPriorityMinimum": 0}, {"groupPriorityMinimum": -1},
    {"groupPriorityMinimum": 20001}, {"groupPriorityMinimum": "x"}, {"versionPriority": 0}, {"versionPriority": 1001}, {"versionPriority": -5}, {"service": None}, {"service": {}},
    {"service": {"name": "a"}}, {"service": {"namespace": "a"}}, {"service": {"name": "a", "namespace": "b", "port": 0}}, {"service": {"name": "a", "namespace": "b", "port": 70000}},
    {"service": {"name": "A_", "namespace": "b"}}, {"service": {"name": "a", "namespace": "b", "port": "x"}}, {"service": {"name": "a", "namespace": "b", "foo": 1}}, {"caBundle": "bm90"},
    {"caBundle": "!!"}, {"caBundle": "bm90", "insecureSkipTLSVerify": False}, {"insecureSkipTLSVerify": False}, {"caBundle": "bm90", "service": None, "insecureSkipTLSVerify": False}, {"foo": 1},
]  # fmt: skip


def api_service(**spec: Any) -> Object:
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    return {**kind, "metadata": {"name": NAME}, "spec": {**SPEC, **spec}}


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_specs(both: Both, spec: Object) -> None:
    both.same("POST", f"{PATH}?dryRun=All", api_service(**spec))


@pytest.mark.parametrize("metadata", [{"name": "x"}, {"name": ""}, {"name": NAME, "labels": {"a b": "c"}}], ids=str)
def test_names(both: Both, metadata: Object) -> None:
    both.same("POST", f"{PATH}?dryRun=All", {**api_service(), "metadata": metadata})


def settle(both: Both, path: str) -> None:
    until, found = time.monotonic() + 10, [""]
    while found and time.monotonic() < until:
        time.sleep(0.1)
        pair = both.ask("GET", path)
        documents = [readable(pair.kube), readable(pair.kybern)]
        for one in documents:
            one["body"].get("metadata", {}).pop("managedFields", None)
        found = differences(*documents)
    assert not found, "\n".join(found)


GROUP = "/apis/agg.example.com"


def test_servers_that_are_not_there(both: Both) -> None:
    services, slices = (
        "/api/v1/namespaces/default/services",
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
    )
    both.same("POST", PATH, api_service())
    settle(both, f"{PATH}/{NAME}")
    for path in (f"{GROUP}/v1", GROUP, f"{GROUP}/v1/foos", f"/openapi/v3{GROUP}/v1", f"{GROUP}/v2/foos"):
        both.same("GET", path)
    both.same("PATCH", f"{PATH}/{NAME}?dryRun=All", {"spec": {"versionPriority": 0}})
    both.ask("POST", services, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    settle(both, f"{PATH}/{NAME}")
    both.ask("PATCH", f"{services}/s", {"spec": {"ports": [{"port": 443}]}})
    settle(both, f"{PATH}/{NAME}")
    found = {"metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "s"}}, "addressType": "IPv4", "ports": [{"port": 1}],
             "endpoints": [{"addresses": ["192.0.2.2"], "conditions": {"ready": False}}]}  # fmt: skip
    both.ask("POST", slices, found)
    settle(both, f"{PATH}/{NAME}")
    both.same("GET", f"{GROUP}/v1")
    both.ask("DELETE", f"{PATH}/{NAME}")
    settle(both, f"{PATH}/{NAME}")


def test_managed_ones(both: Both) -> None:
    """Those of definitions are put back, those of built-in groups are not until the next start."""
    both.ask("PATCH", f"{PATH}/v1.apps", {"spec": {"versionPriority": 16}})
    settle(both, f"{PATH}/v1.apps")
    made = crd("manageds", OBJ)
    served(both, made)
    settle(both, f"{PATH}/v1.compare.example.com")
    both.ask("PATCH", f"{PATH}/v1.compare.example.com", {"spec": {"versionPriority": 3}})
    settle(both, f"{PATH}/v1.compare.example.com")
    both.ask("DELETE", f"{PATH}/v1.compare.example.com")
    settle(both, f"{PATH}/v1.compare.example.com")
