"""Patch facts of the built-in kinds, and a strategic patch of a real Deployment."""

import pytest

from kybern.kube.patch import schema_facts, strategic
from kybern.kube.patch.strategic import FieldPatch

CORE = "io.k8s.api.core.v1"
MERGE = frozenset({"merge"})
FACTS = [
    (f"{CORE}.PodSpec", "containers", FieldPatch(MERGE, "name", f"{CORE}.Container")),
    (f"{CORE}.PodSpec", "volumes", FieldPatch(MERGE | {"retainKeys"}, "name", f"{CORE}.Volume")),
    (f"{CORE}.PodSpec", "tolerations", FieldPatch(definition=f"{CORE}.Toleration")),
    (f"{CORE}.Container", "args", FieldPatch()),
    ("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", "finalizers", FieldPatch(MERGE)),
    ("no such", "field", FieldPatch()),
]


@pytest.mark.parametrize(("definition", "field", "wanted"), FACTS)
def test_facts(definition: str, field: str, wanted: FieldPatch) -> None:
    assert schema_facts.built_in().lookup(definition, field) == wanted


def test_patching_one_container_of_a_deployment() -> None:
    def deployment(*containers: dict[str, str]) -> dict[str, object]:
        return {"spec": {"template": {"spec": {"containers": list(containers)}}}}

    before = deployment({"name": "web", "image": "web:1"}, {"name": "log", "image": "log:1"})
    patched = strategic.apply(
        before,
        deployment({"name": "log", "image": "log:2"}),
        schema_facts.built_in(),
        schema_facts.definition_name("apps", "v1", "Deployment"),
    )
    assert patched == deployment({"name": "web", "image": "web:1"}, {"name": "log", "image": "log:2"})
