"""Query parameters of the API turned into options, with upstream's wording for those that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from kybern.kube.status import bad_request

Query = Mapping[str, list[str]]
SMALLEST, LARGEST, MOST_DIGITS = -(1 << 63), (1 << 63) - 1, 40
_INTEGER = re.compile(r"[+-]?[0-9]+")
FIELD_VALIDATION = ("", "Ignore", "Warn", "Strict")


def first(query: Query, name: str) -> str:
    values = query.get(name)
    return values[0] if values else ""


def boolean(query: Query, name: str, default: bool = False) -> bool:
    """ "", absent, "0" and "false" are false; everything else is true, as upstream converts query parameters."""
    if name not in query:
        return default
    return first(query, name).lower() not in ("", "0", "false")


def integer(query: Query, name: str) -> int | None:
    """A number of 64 bits. Raises StatusError (400)."""
    text = first(query, name)
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text) if len(text) <= MOST_DIGITS else SMALLEST - 1
    if not SMALLEST <= number <= LARGEST:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


def dry_run(query: Query) -> bool:
    """Raises StatusError (400) for anything but "All"."""
    values = [value for value in query.get("dryRun", ()) if value]
    if any(value != "All" for value in values):
        raise bad_request(f'dryRun: Unsupported value: "{values[0]}": supported values: "All"')
    return bool(values)


def field_validation(query: Query) -> str:
    value = first(query, "fieldValidation")
    if value not in FIELD_VALIDATION:
        raise bad_request(
            f'fieldValidation: Unsupported value: "{value}": supported values: "", "Ignore", "Strict", "Warn"'
        )
    return value


def field_manager(query: Query, user_agent: str) -> str:
    """The named manager, or the first part of the user agent: "kubectl" of "kubectl/v1.36.0 (linux/amd64)"."""
    return first(query, "fieldManager") or user_agent.partition("/")[0][:128]


def delete_options(query: Query, body: bytes) -> bytes:
    """DeleteOptions as JSON: the body's where it has some, else the query's; empty when neither says anything."""
    options: dict[str, Any] = _decoded(body) if body else {}
    if (grace := integer(query, "gracePeriodSeconds")) is not None:
        options.setdefault("gracePeriodSeconds", grace)
    if policy := first(query, "propagationPolicy"):
        options.setdefault("propagationPolicy", policy)
    if "orphanDependents" in query:
        options.setdefault("orphanDependents", boolean(query, "orphanDependents"))
    if dry_run(query):
        options.setdefault("dryRun", ["All"])
    return orjson.dumps(options) if options else b""


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        options = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise bad_request(f"couldn't get version/kind; json parse error: {wrong}") from None
    if not isinstance(options, dict):
        raise bad_request("couldn't get version/kind; json parse error: DeleteOptions is no object")
    return options
