"""Bodies as Kubernetes' own Go types write them: `golden.json` is made of `golden.yaml` by tests/clients/go."""

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kybern.kube import protobuf

FOLDER = Path(__file__).parent


@cache
def golden() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "golden.json").read_text())
    return found


def without_nulls(value: Any) -> Any:
    """A null and an absent member mean the same."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", json.loads((FOLDER / "golden.json").read_text()))
def test_reads_what_go_writes(name: str) -> None:
    forms = golden()[name]
    assert protobuf.decode(base64.b64decode(forms["protobuf"])) == without_nulls(forms["json"])


@pytest.mark.parametrize("name", json.loads((FOLDER / "golden.json").read_text()))
def test_reads_what_it_writes(name: str) -> None:
    wanted = golden()[name]["json"]
    assert protobuf.decode(protobuf.encode(wanted)) == without_nulls(wanted)


def test_every_manifest_has_a_golden() -> None:
    assert (FOLDER / "golden.yaml").read_text().count("\n---\n") + 1 == len(golden())
