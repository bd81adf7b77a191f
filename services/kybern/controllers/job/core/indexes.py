"""Indexed Jobs: sets of completion indexes, in the form `0-2,5`."""

from collections.abc import Iterable

from kybern.kube import meta
from kybern.kube.meta import Object

COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"


def index_of(pod: Object) -> int | None:
    """The completion index of a pod; None when it has none."""
    try:
        return int(meta.annotations(pod)[COMPLETION_INDEX])
    except (KeyError, ValueError):
        return None


def parse_indexes(text: str) -> set[int]:
    indexes: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        indexes.update(range(int(first), int(last or first) + 1))
    return indexes


def format_indexes(indexes: Iterable[int]) -> str:
    """As short as upstream writes it: `0-2,5`, but `0,1`."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}{',' if last == first + 1 else '-'}{last}"


def with_index(pod: Object, job: Object, index: int, annotations: dict[str, str] | None = None) -> Object:
    """A pod of an Indexed Job: its index is in a label, an annotation, an environment variable and its hostname."""
    metadata = dict(pod["metadata"])
    metadata["annotations"] = {**(metadata.get("annotations") or {}), COMPLETION_INDEX: str(index)}
    metadata["annotations"] |= annotations or {}
    metadata["labels"] = {**(metadata.get("labels") or {}), COMPLETION_INDEX: str(index)}
    metadata["generateName"] = f"{meta.name(job)}-{index}-"
    source = {"fieldRef": {"fieldPath": f"metadata.annotations['{COMPLETION_INDEX}']"}}
    variable = {"name": "JOB_COMPLETION_INDEX", "valueFrom": source}
    spec = dict(pod["spec"])
    for field in ("initContainers", "containers"):
        if spec.get(field):
            spec[field] = [_with_variable(container, variable) for container in spec[field]]
    spec.setdefault("hostname", f"{meta.name(job)}-{index}")
    return {**pod, "metadata": metadata, "spec": spec}


def _with_variable(container: Object, variable: Object) -> Object:
    known = container.get("env") or []
    if any(entry["name"] == variable["name"] for entry in known):
        return container
    return {**container, "env": [*known, variable]}
