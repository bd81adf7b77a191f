"""The configuration of flow control: what is stored, completed by what is mandatory; and how defaults are maintained.

Mandatory objects are always as they must be (of `exempt` level, its shares are the administrator's). Suggested ones
follow the defaults while `apf.kubernetes.io/autoupdate-spec` is "true", or absent and the spec was never changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kybern.apiserver.core.flowcontrol.classify import EXEMPT, MANDATORY, Schema, in_order
from kybern.apiserver.core.flowcontrol.limits import Level, level

Object = dict[str, Any]
AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
DANGLING = "Dangling"


@dataclass(frozen=True)
class Configuration:
    """Every priority level, and the schemas in the order in which they are asked."""

    levels: Sequence[Level]
    schemas: list[Schema]


def configuration(schemas: Iterable[Object], levels: Iterable[Object], defaults: Sequence[Object]) -> Configuration:
    """What counts now. `defaults` holds the mandatory objects among others."""
    found: dict[str, dict[str, Object]] = {"FlowSchema": {}, "PriorityLevelConfiguration": {}}
    for obj in defaults:
        if obj["metadata"]["name"] in MANDATORY:
            found[obj["kind"]][obj["metadata"]["name"]] = obj
    for kind, objects in (("FlowSchema", schemas), ("PriorityLevelConfiguration", levels)):
        found[kind].update((obj["metadata"]["name"], obj) for obj in objects)
    known = {name: level(obj) for name, obj in found["PriorityLevelConfiguration"].items()}
    return Configuration(tuple(known.values()), in_order(found["FlowSchema"].values(), known))


def maintained(current: Object, wanted: Object) -> Object | None:
    """The object as it should be, or None if it is right as it is."""
    name, spec = wanted["metadata"]["name"], wanted["spec"]
    if name in MANDATORY:
        if name == EXEMPT and wanted["kind"] == "PriorityLevelConfiguration":
            spec = {**spec, "exempt": current["spec"].get("exempt") or spec["exempt"]}
    elif not follows(current):
        return None
    annotations = current["metadata"].get("annotations") or {}
    if current["spec"] == spec and (annotations.get(AUTOUPDATE) == "true" or name not in MANDATORY):
        return None
    metadata = {**current["metadata"], "annotations": {**annotations, AUTOUPDATE: "true"}}
    return {**current, "metadata": metadata, "spec": spec}


def follows(current: Object) -> bool:
    """Whether the defaults still decide a suggested object's spec."""
    said = (current["metadata"].get("annotations") or {}).get(AUTOUPDATE)
    if said in ("true", "false"):
        return bool(said == "true")
    generation: int = current["metadata"].get("generation") or 0
    return generation <= 1


def dangling(obj: Object, levels: Iterable[str]) -> Object:
    """The condition a FlowSchema should have, without its time."""
    name = ((obj.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name") or ""
    about = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}"'
    if name in levels:
        return {"type": DANGLING, "status": "False", "reason": "Found", "message": f"{about} and it exists"}
    message = f"{about} but there is no such object"
    return {"type": DANGLING, "status": "True", "reason": "NotFound", "message": message}


def needs_condition(obj: Object, levels: Iterable[str]) -> Object | None:
    """The condition to write, or None if it is there."""
    wanted = dangling(obj, levels)
    for condition in (obj.get("status") or {}).get("conditions") or ():
        if condition.get("type") == DANGLING:
            return None if all(condition.get(key) == value for key, value in wanted.items()) else wanted
    return wanted
