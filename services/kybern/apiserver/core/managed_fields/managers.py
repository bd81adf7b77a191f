"""The managers of an object, and what an update or an apply does to them.

An object whose fields nobody tracks yet counts as managed by `before-first-apply`, as upstream has it for objects
older than the feature; tracking begins with the first apply.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kybern.apiserver.core.managed_fields import fields_v1
from kybern.apiserver.core.managed_fields.merge import merge, without
from kybern.apiserver.core.managed_fields.paths import ITEM, Leaves, Path, Schema, Types, leaves, readable
from kybern.kube.status import StatusError, apply_conflict

Object = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
BEFORE = "before-first-apply"


@dataclass(frozen=True)
class Manager:
    """Who: a name, how it writes, through which version and subresource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""
    time: str = field(default="", compare=False)

    def __str__(self) -> str:
        through = f' with subresource "{self.subresource}"' if self.subresource else ""
        if self.operation == APPLY:
            return f'"{self.name}"{through}'
        at = f" at {self.time}" if self.time else ""
        return f'"{self.name}"{through} using {self.api_version}{at}'


Managers = dict[Manager, frozenset[Path]]


@dataclass(frozen=True)
class Kind:
    """What of the schema is needed of one kind."""

    schema: Schema
    types: Types

    def leaves(self, obj: Object) -> Leaves:
        """All leaves of an object."""
        return leaves(obj, self.schema, self.types)


def read(obj: Object) -> Managers:
    """The managers in metadata.managedFields."""
    found: Managers = {}
    for entry in obj["metadata"].get("managedFields") or ():
        manager = Manager(
            entry.get("manager") or "unknown",
            entry.get("operation") or UPDATE,
            entry.get("apiVersion") or "",
            entry.get("subresource") or "",
            entry.get("time") or "",
        )
        found[manager] = frozenset(fields_v1.decode(entry.get("fieldsV1") or {}))
    return found


def write(obj: Object, managers: Managers) -> None:
    """Put the managers that manage anything into metadata.managedFields."""
    rows = []
    ordered = sorted(managers, key=lambda m: (m.operation, m.time, m.name, m.subresource))
    for manager in ordered:
        if not managers[manager]:
            continue
        row: Object = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields_v1.encode(managers[manager]),
        }
        if manager.time:
            row["time"] = manager.time
        if manager.subresource:
            row["subresource"] = manager.subresource
        rows.append(row)
    if rows:
        obj["metadata"]["managedFields"] = rows
    else:
        obj["metadata"].pop("managedFields", None)


def updated(managers: Managers, who: Manager, before: Leaves, after: Leaves) -> Managers:
    """After a write that is no apply: what changed is the writer's, what is gone is nobody's."""
    changed = {path for path, value in after.items() if path not in before or before[path] != value}
    result: Managers = {}
    for manager, paths in managers.items():
        result[manager] = frozenset(path for path in paths if path in after and path not in changed)
    if changed:
        result[replace(who)] = frozenset(changed) | result.pop(who, frozenset())
    return result


def conflicts(managers: Managers, who: Manager, applied: Leaves, live: Leaves) -> dict[Manager, list[Path]]:
    """Fields that the configuration would change and others manage."""
    changes = {path for path, value in applied.items() if value is not ITEM and live.get(path, ITEM) != value}
    found = {manager: sorted(changes & paths) for manager, paths in managers.items() if manager != who}
    return {manager: paths for manager, paths in found.items() if paths}


def applied(
    live: Object | None, config: Object, managers: Managers, who: Manager, kind: Kind, force: bool
) -> tuple[Object, Managers]:
    """The object after an apply and its managers. Raises StatusError (409) when others manage what would change."""
    wanted = kind.leaves(config)
    if live is None:
        return config, {who: frozenset(wanted)}
    lost = conflicts(managers, who, wanted, kind.leaves(live))
    if lost and not force:
        raise refusal(lost)
    others = {
        manager: paths - frozenset(lost.get(manager, ())) for manager, paths in managers.items() if manager != who
    }
    result = merge(live, config, kind.schema, kind.types)
    dropped = _droppable(managers.get(who, frozenset()) - frozenset(wanted), [*others.values(), frozenset(wanted)])
    result = without(result, dropped, kind.schema, kind.types)
    left = frozenset(kind.leaves(result))
    pruned = {manager: paths & left for manager, paths in others.items()}
    return result, {**pruned, who: frozenset(wanted)}


def _droppable(paths: frozenset[Path], owned: Iterable[frozenset[Path]]) -> set[Path]:
    """Paths that nobody else manages, themselves or anything below them."""
    kept: set[Path] = set()
    for others in owned:
        for path in others:
            kept.update(path[:length] for length in range(1, len(path) + 1))
    return {path for path in paths if path not in kept}


def refusal(lost: Mapping[Manager, list[Path]]) -> StatusError:
    """The conflict as upstream words it."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": readable(path)}
        for manager, paths in lost.items()
        for path in paths
    ]
    if len(causes) == 1:
        text = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = []
        for manager, paths in lost.items():
            lines += [f"conflicts with {manager}:", *(f"- {readable(path)}" for path in paths)]
        text = f"{len(causes)} conflicts: " + "\n".join(lines)
    return apply_conflict(causes, f"Apply failed with {text}")
