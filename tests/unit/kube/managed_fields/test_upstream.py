"""Sequences of applies and updates end as upstream's own field manager ended them, step by step."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from kybern.kube import managed_fields, schema
from kybern.kube.managed_fields import Kind, Lens, built_in, from_paths
from kybern.kube.status import StatusError

GOLDEN = Path(__file__).parents[3] / "golden/kube/managed_fields/upstream.jsonl"
SEQUENCES = [json.loads(line) for line in GOLDEN.read_text().splitlines()]
NOW = "2026-01-01T00:00:00Z"


def kind_of(sequence: dict[str, Any], step: dict[str, Any]) -> Kind:
    """The kind as the endpoint of a step sees it; only a ConfigMap has no status."""
    group, _, version = sequence["apiVersion"].rpartition("/")
    of = built_in().named(schema.load().names[group, version, sequence["kind"]])
    reset = from_paths([("f:spec",) if step.get("subresource") else ("f:status",)])
    return Kind(of, sequence["apiVersion"], reset, lambda _: Lens(of))


def tidied(value: Any) -> Any:
    """Without nulls and empty parts: upstream's structs write some that Kybern leaves out."""
    if isinstance(value, dict):
        kept = {name: tidied(child) for name, child in value.items()}
        written = {name: child for name, child in kept.items() if child not in (None, {}, [])}
        return {name: child for name, child in written.items() if (name, child) != ("targetPort", 0)}
    return [tidied(child) for child in value] if isinstance(value, list) else value


def split(obj: dict[str, Any]) -> tuple[Any, Any]:
    """(object, its managers)."""
    if "error" in obj:
        return obj, None
    metadata = dict(obj["metadata"])
    entries = [{**entry, "time": ""} for entry in metadata.pop("managedFields", None) or ()]
    keys = ("operation", "manager", "apiVersion", "subresource")
    entries.sort(key=lambda entry: [entry.get(key, "") for key in keys])
    return tidied({**obj, "metadata": metadata}), entries


def run(kind: Kind, step: dict[str, Any], live: dict[str, Any] | None) -> dict[str, Any]:
    obj, manager, subresource = copy.deepcopy(step["object"]), step["manager"], step.get("subresource", "")
    if step["op"] == "apply":
        force = step.get("force", False)
        return managed_fields.apply(kind, live, obj, manager, NOW, force=force, subresource=subresource)
    managed_fields.track_update(kind, live, obj, manager, subresource, NOW)
    return obj


def outcome(kind: Kind, step: dict[str, Any], live: dict[str, Any] | None) -> dict[str, Any]:
    try:
        return run(kind, step, live)
    except StatusError as error:
        return refusal({"error": error.message, "causes": error.details.get("causes", [])})


def refusal(step: dict[str, Any]) -> dict[str, Any]:
    """The error of a step; upstream leaves the order of causes to chance."""
    return {"error": step["error"], "causes": sorted(step["causes"], key=lambda cause: sorted(cause.items()))}


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda s: f"{s['kind']}-{len(s['steps'])}")
def test_steps_end_as_upstream_ended_them(sequence: dict[str, Any]) -> None:
    live = None
    for number, step in enumerate(sequence["steps"]):
        before = copy.deepcopy(live)
        got = outcome(kind_of(sequence, step), step, live)
        wanted = step["result"] if "result" in step else refusal(step)
        assert split(got) == split(wanted), number
        assert live == before, "the live object was changed"
        if "result" in step:
            live = copy.deepcopy(step["result"])
            live["metadata"]["uid"] = "u"
