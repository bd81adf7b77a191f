"""Query parameters of the API turned into options, with upstream's wording for those that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from kybern.kube import field, recognize
from kybern.kube.field import FieldError
from kybern.kube.managed_fields import wrong_name
from kybern.kube.status import bad_request, invalid

Query = Mapping[str, list[str]]
SMALLEST, LARGEST, MOST_DIGITS = -(1 << 63), (1 << 63) - 1, 40
_INTEGER = re.compile(r"[+-]?[0-9]+")
APPLY = "application/apply-patch+yaml"
_DELETE_OPTIONS = "DeleteOptions"
FIELD_VALIDATION = ("", "Ignore", "Warn", "Strict")


def first(query: Query, name: str) -> str:
    values = query.get(name)
    return values[0] if values else ""


def boolean(query: Query, name: str, default: bool = False) -> bool:
    """Absent, "0" and "false" are false; everything else is true, the empty string too, as upstream."""
    if name not in query:
        return default
    return first(query, name).lower() not in ("0", "false")


def optional_boolean(query: Query, name: str) -> bool | None:
    """As `boolean`; None for one that is absent."""
    return boolean(query, name) if name in query else None


def integer(query: Query, name: str) -> int | None:
    """A number of 64 bits. Raises StatusError (400)."""
    if name not in query:
        return None
    text = first(query, name)
    if not _INTEGER.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text) if len(text) <= MOST_DIGITS else SMALLEST - 1
    if not SMALLEST <= number <= LARGEST:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def dry_run(query: Query) -> bool:
    """Whether nothing is to be kept; `check_write` refuses what cannot be read."""
    return "All" in query.get("dryRun", ())


def check_write(query: Query, kind: str, patch_type: str = "") -> None:
    """Raises StatusError (422) for options of a write, a `kind` of theirs, that are none or do not go together."""
    manager, validation, errors = first(query, "fieldManager"), first(query, "fieldValidation"), []
    if patch_type == APPLY and not manager:
        errors.append(field.required("fieldManager", "is required for apply patch"))
    if patch_type and patch_type != APPLY and boolean(query, "force"):
        errors.append(field.forbidden("force", "may not be specified for non-apply patch"))
    errors += wrong_name(manager)
    errors += wrong_dry_run(query)
    if validation not in FIELD_VALIDATION:
        errors.append(field.not_supported("fieldValidation", validation, FIELD_VALIDATION))
    if errors:
        raise invalid("meta.k8s.io", kind, "", errors)


def wrong_dry_run(query: Query) -> list[FieldError]:
    """What is wrong with dryRun."""
    values = query.get("dryRun", [])
    return [field.not_supported("dryRun", values, ("All",))] if any(value != "All" for value in values) else []


def field_manager(query: Query, user_agent: str) -> str:
    """The named manager, or the first part of the user agent: "kubectl" of "kubectl/v1.36.0 (linux/amd64)"."""
    return first(query, "fieldManager") or user_agent.partition("/")[0][:128]


def delete_options(query: Query, body: bytes) -> bytes:
    """DeleteOptions as JSON: those of the body, whatever the query says, or else the query's; empty for none."""
    if body:
        return orjson.dumps(_decoded(body))
    options: dict[str, Any] = {}
    if (grace := integer(query, "gracePeriodSeconds")) is not None:
        options["gracePeriodSeconds"] = grace
    if "propagationPolicy" in query:
        options["propagationPolicy"] = first(query, "propagationPolicy")
    if "orphanDependents" in query:
        options["orphanDependents"] = boolean(query, "orphanDependents")
    if "dryRun" in query:
        options["dryRun"] = query["dryRun"]
    preconditions = {name: first(query, name) for name in ("uid", "resourceVersion") if first(query, name)}
    if preconditions:
        options["preconditions"] = preconditions
    return orjson.dumps(options) if options else b""


def orphans_nothing(delete: bytes) -> bool:
    """Whether DeleteOptions say so in the old way, by which a deletion that has to wait is 202."""
    return b'"orphanDependents"' in delete and orjson.loads(delete).get("orphanDependents") is False


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        options = recognize.typed(body)
    except recognize.UnrecognizedError as wrong:
        raise bad_request(str(wrong)) from None
    kind, api_version = options.get("kind") or _DELETE_OPTIONS, options.get("apiVersion") or "meta.k8s.io/v1"
    if kind == "Status":  # has no version of its own
        raise bad_request("converting (v1.Status) to (v1.DeleteOptions): unknown conversion")
    if kind != _DELETE_OPTIONS:
        raise bad_request(recognize.not_registered(kind, api_version))
    return options
