"""What discovery and OpenAPI say while definitions and APIServices come, change and go.

A kube-apiserver follows some seconds later, so both are asked until they agree. Resources of a group version are in no
order there, and its OpenAPI v3 goes on to describe versions that are served no more.
"""

import time
from typing import Any

import pytest
from same import ROOT_USER, Both, differences, normal
from servers import Server

Object = dict[str, Any]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
AGGREGATED = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
GROUPS = ("ex.io", "two.io", "zeta.io")
PACKAGES = tuple(f"{'.'.join(reversed(group.split('.')))}." for group in GROUPS)
SECONDS = 15


def definition(plural: str, group: str, kind: str, versions: str = "v1", **names: Any) -> Object:
    """`versions`: those served, the first stored; -VERSION is not served."""
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}}
    listed = [
        {"name": name.strip("-"), "served": not name.startswith("-"), "storage": index == 0,
         "schema": {"openAPIV3Schema": schema}}
        for index, name in enumerate(versions.split())
    ]  # fmt: skip
    spec = {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": kind, **names}}
    return {"metadata": {"name": f"{plural}.{group}"}, "spec": {**spec, "versions": listed}}


def service(group: str, version: str, group_priority: int, version_priority: int) -> Object:
    spec = {"group": group, "version": version, "service": {"name": "s", "namespace": "default"}}
    priorities = {"groupPriorityMinimum": group_priority, "versionPriority": version_priority}
    return {"metadata": {"name": f"{version}.{group}"}, "spec": {**spec, **priorities, "insecureSkipTLSVerify": True}}


def _serve(index: int, served: bool) -> list[Object]:
    return [{"op": "replace", "path": f"/spec/versions/{index}/served", "value": served}]


def _store(index: int) -> list[Object]:
    return [{"op": "replace", "path": f"/spec/versions/{one}/storage", "value": one == index} for one in (0, 1)]


FOO, TWO, BAR = f"{DEFINITIONS}/foos.ex.io", f"{DEFINITIONS}/foos.two.io", f"{DEFINITIONS}/bars.ex.io"
OBJECTS = "/apis/two.io/v1/namespaces/default/foos"
HELD = {"apiVersion": "two.io/v1", "kind": "Foo", "metadata": {"name": "a", "finalizers": ["x/y"]}}
STEPS: list[tuple[str, str, Any]] = [
    ("POST", DEFINITIONS, definition("foos", "ex.io", "Foo", "v1 v1beta1", shortNames=["fo"], categories=["all", "b"])),
    ("POST", DEFINITIONS, definition("bars", "ex.io", "Bar", "v1alpha1 v2 v10")),
    ("POST", DEFINITIONS, definition("bazs", "ex.io", "Baz", shortNames=["fo"])),  # a name that is taken
    ("POST", DEFINITIONS, definition("quxes", "ex.io", "Foo")),  # a kind that is taken
    ("POST", DEFINITIONS, definition("foos", "two.io", "Foo", shortNames=["fo"])),
    ("PATCH", FOO, _serve(1, False)), ("PATCH", TWO, _serve(0, False)), ("PATCH", TWO, _serve(0, True)),
    ("PATCH", FOO, {"spec": {"names": {"shortNames": ["f2"], "categories": ["x"], "listKind": "FooBunch"}}}),
    ("PATCH", BAR, _store(1)), ("POST", OBJECTS, HELD), ("DELETE", TWO, None),
    ("PATCH", f"{OBJECTS}/a", {"metadata": {"finalizers": None}}), ("DELETE", FOO, None),
    ("POST", SERVICES, service("zeta.io", "v1", 100, 10)), ("POST", SERVICES, service("zeta.io", "v2", 20000, 20)),
    ("POST", SERVICES, service("ex.io", "v1", 100, 10)),
    ("PATCH", f"{SERVICES}/v2.ex.io", {"spec": {"groupPriorityMinimum": 19000, "versionPriority": 500}}),
    ("DELETE", f"{SERVICES}/v2.zeta.io", None), ("DELETE", f"{SERVICES}/v10.ex.io", None),
]  # fmt: skip


def _shown(server: Server) -> Object:
    """All that tells which groups, versions and resources there are."""

    def ask(path: str, headers: Object | None = None) -> Any:
        answer = server.ask("GET", path, None, headers or {}, ROOT_USER)
        return answer.document if answer.body.startswith(b"{") else (answer.status, answer.body.decode())

    found: Object = {"groups": ask("/apis"), "aggregated": ask("/apis", AGGREGATED)}
    for item in found["aggregated"]["items"]:
        for version in item["versions"]:
            version.get("resources", []).sort(key=lambda one: one["resource"])
    for group in GROUPS:
        found[group] = ask(f"/apis/{group}")
        for version in ("v1", "v2", "v1beta1", "v1alpha1", "v10"):
            found[group, version] = listed = ask(f"/apis/{group}/{version}")
            if isinstance(listed, dict) and "resources" in listed:
                listed["resources"].sort(key=lambda one: one["name"])
    v2 = ask("/openapi/v2")
    found["v2"] = sorted(path for path in v2["paths"] if any(f"/{group}/v" in path for group in GROUPS))
    found["definitions"] = sorted(name for name in v2["definitions"] if name.startswith(PACKAGES))
    there = [f"apis/{v['groupVersion']}" for one in found["groups"]["groups"] for v in one["versions"]]
    found["v3"] = sorted(set(ask("/openapi/v3")["paths"]).intersection(path for path in there if path.count(".io/v")))
    services = [one for one in ask(SERVICES)["items"] if one["spec"].get("group") in GROUPS]
    found["services"] = [{"spec": one["spec"], "status": one.get("status")} for one in services]
    return found


@pytest.mark.timeout(400)
def test_discovery_follows(fresh: Both) -> None:
    for number, (method, path, body) in enumerate(STEPS):
        headers = JSON_PATCH if isinstance(body, list) else None
        pair = fresh.ask(method, path, body, headers)
        assert pair.kube.status == pair.kybern.status, (number, pair)
        deadline = time.monotonic() + SECONDS
        while found := differences(normal(_shown(fresh.kube)), normal(_shown(fresh.kybern))):
            assert time.monotonic() < deadline, (number, method, path, *found[:5])
            time.sleep(0.3)
