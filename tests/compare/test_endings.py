"""How bodies end: Go's encoder writes a line's end behind every JSON document, but not behind one that is indented."""

import pytest
from same import Both

CONFIG_MAP = "/api/v1/namespaces/{namespace}/configmaps/a"
CONFIG_MAPS = "/api/v1/namespaces/{namespace}/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
ASKED = {
    "object": (CONFIG_MAP, ""),
    "object again": (CONFIG_MAP, ""),
    "indented": (f"{CONFIG_MAP}?pretty=1", ""),
    "yaml": (CONFIG_MAP, "application/yaml"),
    "list": (CONFIG_MAPS, ""),
    "indented list": (f"{CONFIG_MAPS}?pretty=true", ""),
    "table": (CONFIG_MAPS, TABLE),
    "table of one": (CONFIG_MAP, TABLE),
    "metadata": (CONFIG_MAP, METADATA),
    "refusal": ("/api/v1/namespaces/{namespace}/configmaps/none", ""),
    "indented refusal": ("/api/v1/namespaces/{namespace}/configmaps/none?pretty=1", ""),
    "no resource": ("/api/v1/nothing", ""),
    "versions": ("/api", ""),
    "groups": ("/apis", ""),
    "aggregated": ("/apis", AGGREGATED),
    "resources": ("/api/v1", ""),
    "paths": ("/", ""),
    "version": ("/version", ""),
    "openapi": ("/openapi/v3/api/v1", ""),
    "openapi index": ("/openapi/v3", ""),
    "health": ("/healthz", ""),
}


@pytest.mark.parametrize(("path", "accept"), ASKED.values(), ids=ASKED.keys())
def test_endings(both: Both, namespace: str, path: str, accept: str) -> None:
    both.ask("POST", CONFIG_MAPS.format(namespace=namespace), {"metadata": {"name": "a"}})
    headers = {"Accept": accept} if accept else {}
    pair = both.ask("GET", path.format(namespace=namespace), headers=headers)
    assert pair.kybern.body.endswith(b"\n") == pair.kube.body.endswith(b"\n")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_answers_to_writes(both: Both, namespace: str, method: str) -> None:
    path = CONFIG_MAPS.format(namespace=namespace)
    body = {"metadata": {"name": "a"}}
    if method != "POST":
        both.ask("POST", path, body)
        path += "/a"
    pair = both.ask(method, path, None if method == "DELETE" else body)
    assert pair.kybern.body.endswith(b"\n") == pair.kube.body.endswith(b"\n")


@pytest.mark.parametrize("path", ["/", "/version"])
def test_documents_of_the_server_itself_are_always_indented(both: Both, path: str) -> None:
    pair = both.ask("GET", path)
    assert pair.kybern.body[:5] == pair.kube.body[:5] == b'{\n  "'
