"""Objects as people write them, with many fields at once: all of it is accepted."""

from pathlib import Path

import pytest
import yaml

from kybern.kube import schema
from kybern.kube.defaults import apply_defaults
from kybern.kube.validation import validate_create, validate_update

MANIFESTS = Path(__file__).with_name("accepted.yaml").read_text()
OBJECTS = list(yaml.safe_load_all(MANIFESTS))


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: f"{obj['kind']}-{obj['metadata']['name']}")
def test_accepted(obj: dict[str, str]) -> None:
    group, _, version = obj["apiVersion"].rpartition("/")
    info = schema.kind(group, version, obj["kind"])
    assert info is not None
    assert schema.prune(schema.definition(info.gvk) or {}, obj) == []
    apply_defaults(info, obj)
    assert [str(error) for error in validate_create(info, obj)] == []
    assert [str(error) for error in validate_update(info, obj, obj)] == []
