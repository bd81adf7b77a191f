"""Conflicts: fields that an apply would change and that other managers own, in upstream's words."""

from typing import Any

import orjson

from kybern.kube.managed_fields.field_set import FieldSet, difference, paths, readable
from kybern.kube.managed_fields.managers import Manager
from kybern.kube.status import StatusError, apply_conflict


def _order(row: tuple[Manager, FieldSet]) -> str:
    """Upstream sorts managers by their JSON."""
    name, operation, api_version, subresource = row[0]
    entry = {"manager": name, "operation": operation, "apiVersion": api_version, "subresource": subresource}
    return orjson.dumps({key: value for key, value in entry.items() if value}).decode()


class Conflicts(Exception):
    """The contested fields of each manager."""

    def __init__(self, contested: dict[Manager, FieldSet]) -> None:
        super().__init__()
        self.contested = contested

    def beyond(self, allowed: FieldSet) -> "Conflicts | None":
        """The conflicts about other fields than the allowed ones."""
        rest = {who: difference(fields, allowed) for who, fields in self.contested.items()}
        kept = {who: fields for who, fields in rest.items() if fields}
        return Conflicts(kept) if kept else None

    def status(self, api_version: str = "") -> StatusError:
        """Conflict (409); `api_version` is what updaters are said to have used, if not their own."""
        found = [
            (who.readable(api_version), [readable(path) for path in paths(fields)])
            for who, fields in sorted(self.contested.items(), key=_order)
        ]
        causes: list[dict[str, Any]] = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": field}
            for name, fields in found
            for field in fields
        ]
        if len(causes) == 1:
            said = f"1 conflict: {causes[0]['message']}: {causes[0]['field']}"
        else:
            lines: list[str] = []
            for name, fields in found:
                lines += [f"conflicts with {name}:", *(f"- {field}" for field in fields)]
            said = f"{len(causes)} conflicts: " + "\n".join(lines)
        return apply_conflict(causes, f"Apply failed with {said}")
