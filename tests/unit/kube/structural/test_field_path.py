"""Field paths: how errors name the places where they lead."""

import pytest

from kybern.kube.structural.field_path import told

TEXT = {"type": "string"}
SCHEMA = {
    "properties": {
        "a": {"properties": {"b.c": TEXT, "d": TEXT}},
        "m": {"additionalProperties": {"properties": {"x": TEXT}}},
    }
}
PATHS = {
    ".a.d": "a.d",
    ".a['b.c']": "a.b.c",
    ".m": "m",
    ".m.k": "m[k]",
    ".m['k.l'].x": "m[k.l].x",
    ".nowhere": "nowhere",
}


@pytest.mark.parametrize("path", PATHS)
def test_places(path: str) -> None:
    assert told(path, SCHEMA) == PATHS[path]


def test_keys_of_the_map_itself() -> None:
    assert told(".k", SCHEMA["properties"]["m"]) == "[k]"
