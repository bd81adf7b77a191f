"""What kubectl learns of the server: version, resources, fields."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kybern.testing.cluster import Cluster, Kubectl

FACTS = Path(__file__).parents[3] / "tools/facts/discovery-1.36.json"


@cache
def facts() -> Any:
    return json.loads(FACTS.read_text())


def served() -> dict[tuple[str, str], dict[str, Any]]:
    """(group version, resource) → row, for the preferred version of each group, without subresources."""
    preferred = {group["name"]: f"{group['name']}/{group['preferred']}" for group in facts()["groups"]}
    return {
        (version, row["name"]): row
        for version, rows in facts()["resources"].items()
        if version == "v1" or preferred[version.split("/")[0]] == version
        for row in rows
        if "/" not in row["name"]
    }


def test_version(admin: Kubectl) -> None:
    answer = admin.json("version")
    assert answer["serverVersion"]["gitVersion"].startswith("v1.36.")
    assert answer["clientVersion"]["minor"].rstrip("+") == str(admin.minor)


def test_cluster_info(admin: Kubectl, cluster: Cluster) -> None:
    output = re.sub(r"\x1b\[[\d;]*m", "", admin("cluster-info"))
    assert f"Kubernetes control plane is running at {cluster.server}" in output
    dns = f"{cluster.server}/api/v1/namespaces/kube-system/services/kube-dns:dns/proxy"
    assert f"CoreDNS is running at {dns}" in output


def test_cluster_info_dump(admin: Kubectl, tmp_path: Path) -> None:
    admin("cluster-info", "dump", "--output-directory", str(tmp_path))
    nodes = json.loads((tmp_path / "nodes.json").read_text())
    assert {node["metadata"]["name"] for node in nodes["items"]} == {"simulated-1", "simulated-2"}


def test_api_versions(admin: Kubectl) -> None:
    expected = {f"{group['name']}/{version}" for group in facts()["groups"] for version in group["versions"]} | {"v1"}
    assert set(admin("api-versions").split()) == expected


def test_api_resources(admin: Kubectl) -> None:
    seen = {}
    for line in admin("api-resources", "--no-headers", "-o", "wide").splitlines():
        cells = line.split()
        at = next(i for i, cell in enumerate(cells) if cell in ("true", "false"))
        verbs, categories = sorted(cells[at + 2].split(",")), cells[at + 3 :]
        seen[cells[at - 1], cells[0]] = (cells[1 : at - 1], cells[at] == "true", cells[at + 1], verbs, categories)
    expected = {
        key: (
            [",".join(row["shortNames"])] if row.get("shortNames") else [],
            row["namespaced"],
            row["kind"],
            sorted(row["verbs"]),
            [",".join(row["categories"])] if row.get("categories") else [],
        )
        for key, row in served().items()
    }
    assert seen == expected


@pytest.mark.parametrize("flag", ["--namespaced=true", "--namespaced=false", "--verbs=create,delete"])
def test_api_resources_are_filtered(admin: Kubectl, flag: str) -> None:
    names = set(admin("api-resources", "-o", "name", flag).split())

    def wanted(row: dict[str, Any]) -> bool:
        if flag.startswith("--verbs"):
            return {"create", "delete"} <= set(row["verbs"])
        return bool(row["namespaced"] == flag.endswith("true"))

    expected = {
        row["name"] if version == "v1" else f"{row['name']}.{version.split('/')[0]}"
        for (version, _), row in served().items()
        if wanted(row)
    }
    assert names == expected


def test_category_all(admin: Kubectl) -> None:
    output = admin("api-resources", "--categories=all", "-o", "name").split()
    assert {"pods", "services", "deployments.apps", "jobs.batch"} <= set(output)


FIELDS = {
    "deployment.spec.replicas": ("GROUP:      apps", "KIND:       Deployment", "FIELD: replicas <integer>"),
    "pod.spec.containers": ("FIELD: containers <[]Container>", "image\t<string>", "  name\t<string> -required-"),
    "service.spec.type": ("FIELD: type <string>", "ENUM:", "ClusterIP", "NodePort"),
    "cronjob.spec.jobTemplate.spec": ("GROUP:      batch", "FIELD: spec <JobSpec>"),
    "hpa": ("GROUP:      autoscaling", "VERSION:    v2"),
}


@pytest.mark.parametrize("path", FIELDS)
def test_explain(admin: Kubectl, path: str) -> None:
    output = admin("explain", path)
    for part in FIELDS[path]:
        assert part in output
    description = output.partition("DESCRIPTION:")[2].partition("FIELDS:")[0]
    assert len(description.split()) >= 3
    assert "<empty>" not in description


def test_explain_recursive(admin: Kubectl) -> None:
    output = admin("explain", "pod", "--recursive")
    for part in ("initContainers\t<[]Container>", "matchExpressions\t<[]", "tolerations\t<[]Toleration>"):
        assert part in output


def test_explain_another_version(admin: Kubectl) -> None:
    output = admin("explain", "hpa.spec", "--api-version=autoscaling/v1")
    assert "targetCPUUtilizationPercentage" in output


def test_explain_what_is_not_there(admin: Kubectl) -> None:
    assert 'field "nope" does not exist' in admin.error("explain", "pod.spec.nope")
    assert 'the server doesn\'t have a resource type "nope"' in admin.error("explain", "nope")


def test_raw_documents(admin: Kubectl) -> None:
    outputs = admin.together([("get", "--raw", path) for path in ("/healthz", "/livez", "/readyz", "/openapi/v3")])
    assert outputs[:3] == ["ok"] * 3
    assert {"api/v1", "apis/apps/v1"} <= set(json.loads(outputs[3])["paths"])
    assert "readyz check passed" in admin("get", "--raw", "/readyz?verbose")
