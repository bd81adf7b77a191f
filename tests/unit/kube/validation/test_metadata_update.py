"""How often an update is told of broken labels, annotations, owners and finalizers: kind by kind, as by upstream."""

from typing import Any

import pytest

from kybern.kube import schema
from kybern.kube.validation.metadata_update import metadata_errors
from kybern.kube.validation.names import path_segment

Object = dict[str, Any]
BROKEN: Object = {
    "name": "x",
    "namespace": "n",
    "labels": {"-": "x"},
    "annotations": {"-": "x"},
    "ownerReferences": [{"apiVersion": "v1", "kind": "", "name": "x", "uid": "u"}],
    "finalizers": ["x"],
}
LETTERS = {"labels": "L", "annotations": "A", "ownerReferences.kind": "O", "finalizers[0]": "n"}
# (group, version, kind), subresource: what is told before the rules of the kind and after those for new objects
ROWS: list[tuple[tuple[str, str, str], str, str, str]] = [
    (("apps", "v1", "Deployment"), "", "LAOLAOLAOn", ""),
    (("", "v1", "ConfigMap"), "", "LAOLAOLAOnLAOn", ""),
    (("batch", "v1", "Job"), "", "LAOLAOLAOn", "LAOn"),
    (("", "v1", "LimitRange"), "", "LAOLAOLAOn", ""),
    (("", "v1", "PersistentVolume"), "", "LAOLAOLAOnLAOn", ""),
    (("policy", "v1", "PodDisruptionBudget"), "", "LAOLAO", ""),
    (("", "v1", "Event"), "", "LAOLAO", ""),
    (("node.k8s.io", "v1", "RuntimeClass"), "", "LAOLAOLAO", "LAO"),
    (("x.io", "v1", "Custom"), "", "LAOLAOLAO", ""),
    (("", "v1", "Pod"), "status", "LAOLAOLAOn", ""),
    (("batch", "v1", "CronJob"), "status", "LAOLAO", ""),
    (("certificates.k8s.io", "v1", "CertificateSigningRequest"), "approval", "LAOLAOLAOn", "LAOn"),
    (("", "v1", "Pod"), "binding", "", ""),
]


@pytest.mark.parametrize(("gvk", "subresource", "first", "later"), ROWS, ids=lambda value: str(value))
def test_told(gvk: tuple[str, str, str], subresource: str, first: str, later: str) -> None:
    info = schema.kind(*gvk) or schema.ResourceInfo(*gvk[:2], "customs", gvk[2], "custom", True, frozenset())
    metadata = BROKEN if info.namespaced else {name: value for name, value in BROKEN.items() if name != "namespace"}
    old = {"metadata": {name: metadata[name] for name in ("name", "namespace") if name in metadata}}
    told = metadata_errors(info, subresource, {"metadata": metadata}, old, path_segment)
    letters = ["".join(LETTERS[error.field.removeprefix("metadata.")] for error in part) for part in told]
    assert letters == [first, later]


OWNERS: list[tuple[str, Object, list[str]]] = [
    ("nothing", {}, ["apiVersion", "kind", "name", "uid"]),
    ("two slashes", {"apiVersion": "a/b/c", "kind": "K", "name": "n", "uid": "u"}, ["apiVersion"]),
    ("no version", {"apiVersion": "a/", "kind": "K", "name": "n", "uid": "u"}, ["apiVersion"]),
    ("right", {"apiVersion": "a/v1", "kind": "K", "name": "n", "uid": "u"}, []),
    ("an event", {"apiVersion": "v1", "kind": "Event", "name": "n", "uid": "u"}, [""]),
]


@pytest.mark.parametrize(("owner", "fields"), [row[1:] for row in OWNERS], ids=[row[0] for row in OWNERS])
def test_owners(owner: Object, fields: list[str]) -> None:
    info = schema.kind("policy", "v1", "PodDisruptionBudget")
    assert info is not None
    old = {"metadata": {"name": "x", "namespace": "n"}}
    new = {"metadata": {**old["metadata"], "ownerReferences": [owner]}}
    told, _ = metadata_errors(info, "", new, old, path_segment)
    at = [f"metadata.ownerReferences.{field}".rstrip(".") for field in fields]
    assert [error.field for error in told] == at * 2
