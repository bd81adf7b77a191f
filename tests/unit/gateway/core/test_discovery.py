"""Discovery documents from a small resource table."""

from kybern.gateway.core import discovery
from kybern.gateway.core.resources import Resources
from kybern.protos.api.v1.discovery_pb2 import GroupInfo, ResourceInfo, ResourceTable, SubresourceInfo, VersionInfo

PODS = ResourceInfo(
    name="pods",
    singular_name="pod",
    kind="Pod",
    namespaced=True,
    verbs=["get", "list", "create"],
    short_names=["po"],
    categories=["all"],
    subresources=[
        SubresourceInfo(name="log", kind="Pod", verbs=["get"]),
        SubresourceInfo(name="eviction", kind="Eviction", group="policy", version="v1", verbs=["create"]),
    ],
)
DEPLOYMENTS = ResourceInfo(
    name="deployments", singular_name="deployment", kind="Deployment", namespaced=True, verbs=["get"]
)
TABLE = ResourceTable(
    etag="e1",
    groups=[
        GroupInfo(name="", versions=[VersionInfo(version="v1", openapi_hash="H1", resources=[PODS])]),
        GroupInfo(name="apps", versions=[VersionInfo(version="v1", openapi_hash="H2", resources=[DEPLOYMENTS])]),
    ],
)


def test_resource_list() -> None:
    document = discovery.api_resource_list("", TABLE.groups[0].versions[0])
    pods, log, eviction = document["resources"]
    assert document["groupVersion"] == "v1"
    assert (pods["name"], pods["shortNames"], pods["categories"]) == ("pods", ["po"], ["all"])
    assert log == {"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod", "verbs": ["get"]}
    assert (eviction["group"], eviction["version"], eviction["kind"]) == ("policy", "v1", "Eviction")


def test_groups() -> None:
    assert discovery.api_versions(TABLE, "h:1")["versions"] == ["v1"]
    (apps,) = discovery.api_group_list(TABLE)["groups"]
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert discovery.api_group(TABLE.groups[1])["name"] == "apps"


def test_aggregated() -> None:
    legacy, rest = discovery.aggregated(TABLE, True, "v2"), discovery.aggregated(TABLE, False, "v2")
    assert legacy["apiVersion"] == "apidiscovery.k8s.io/v2"
    (pods,) = legacy["items"][0]["versions"][0]["resources"]
    assert pods["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    assert pods["scope"] == "Namespaced"
    assert [sub["subresource"] for sub in pods["subresources"]] == ["log", "eviction"]
    assert pods["subresources"][1]["responseKind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}
    assert [item["metadata"]["name"] for item in rest["items"]] == ["apps"]


def test_openapi_index_and_paths() -> None:
    index = discovery.openapi_v3_index(TABLE)["paths"]
    assert index["apis/apps/v1"] == {"serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=H2"}
    assert {"/api/v1", "/apis/apps/v1", "/healthz"} <= set(discovery.root_paths(TABLE, ["/healthz"])["paths"])


def test_resource_index() -> None:
    resources = Resources(TABLE)
    pods = resources.find("", "v1", "pods")
    assert pods is not None
    assert pods.allows("get", "")
    assert not pods.allows("delete", "")
    assert pods.allows("get", "log")
    assert not pods.allows("get", "exec")
    assert resources.find("", "v1", "nothing") is None
    assert len(resources) == 2
