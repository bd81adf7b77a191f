"""Manifests of static pods."""

from pathlib import Path

from kybern.node.core.static_pod import mirror_pod, mirrored_uid
from kybern.node.static_pods import read_manifests

POD = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "%s"}, "spec": {"containers": [{"name": "c"}]}}'


def test_manifests(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(POD % "a")
    (tmp_path / "b.yaml").write_text("kind: Node")
    (tmp_path / "c.yaml").write_text("{")
    (tmp_path / "notes.txt").write_text("x")
    pods, wrong = read_manifests(tmp_path, "Node-1")
    (pod,) = pods.values()
    assert pod["metadata"]["name"] == "a-node-1"
    assert pod["spec"]["nodeName"] == "Node-1"
    assert [complaint.split(":")[0] for complaint in wrong] == ["b.yaml", "c.yaml"]
    assert read_manifests(tmp_path / "none", "n") == ({}, [])


def test_another_content_is_another_pod(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(POD % "a")
    (first,) = read_manifests(tmp_path, "n")[0]
    path.write_text((POD % "a").replace('"c"', '"d"'))
    (second,) = read_manifests(tmp_path, "n")[0]
    assert first != second
    pod = read_manifests(tmp_path, "n")[0][second]
    assert mirrored_uid(mirror_pod(pod, {"metadata": {"name": "n", "uid": "x"}})) == second
