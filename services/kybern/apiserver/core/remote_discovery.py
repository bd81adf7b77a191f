"""What an extension API server says of itself, read: APIResourceList and OpenAPI documents."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Document = dict[str, Any]
REF = "#/definitions/"


def resource_rows(document: Any) -> list[Document]:
    """The rows of an APIResourceList with `subresources` in each. Raises ValueError for anything else."""
    if not isinstance(document, dict) or not isinstance(document.get("resources") or [], list):
        raise ValueError("the document is no APIResourceList")
    rows: dict[str, Document] = {}
    entries = [_row(one) for one in document.get("resources") or () if isinstance(one, dict)]
    for entry in entries:
        if entry["name"] and "/" not in entry["name"]:
            rows[entry["name"]] = {**entry, "subresources": []}
    for entry in entries:
        parent, slash, name = entry["name"].partition("/")
        if slash:
            blank = {**_row({"name": parent}), "namespaced": entry["namespaced"], "subresources": []}
            rows.setdefault(parent, blank)["subresources"].append({**entry, "name": name})
    return list(rows.values())


TEXTS = ("name", "singularName", "kind", "group", "version", "storageVersionHash")
LISTS = ("verbs", "shortNames", "categories")


def _row(entry: Document) -> Document:
    """The members of an APIResource; what has another type than it should is left out."""
    row: Document = {name: entry[name] if isinstance(entry.get(name), str) else "" for name in TEXTS}
    for name in LISTS:
        given = entry.get(name)
        row[name] = [text for text in given if isinstance(text, str)] if isinstance(given, list) else []
    return {**row, "namespaced": entry.get("namespaced") is True}


def v2_document(document: Any) -> Document | None:
    """An OpenAPI v2 document with the members that `merge_v2` reads; None for anything else."""
    if not isinstance(document, dict):
        return None
    parts = [document.get(name) or {} for name in ("paths", "definitions")]
    return document if all(isinstance(part, dict) for part in parts) else None


def v3_path(index: Any, group: str, version: str) -> str:
    """Where the OpenAPI v3 document of a group version is, by the server's index; "" if it has none."""
    found: Any = index
    for name in ("paths", f"apis/{group}/{version}", "serverRelativeURL"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def digest(document: bytes) -> str:
    """Changes when the document does, in the form of upstream's hashes."""
    return hashlib.sha512(document).hexdigest().upper()


def merge_v2(document: Document, others: Iterable[tuple[str, str, Mapping[str, Any]]]) -> Document:
    """The document with the paths of other servers' group versions: (group, version, their whole document).

    Their definitions come along; one whose name is taken by another definition gets a number, as upstream does.
    """
    paths, definitions = dict(document.get("paths") or {}), dict(document.get("definitions") or {})
    for group, version, other in others:
        prefix = f"/apis/{group}/{version}/"
        own = {path: one for path, one in (other.get("paths") or {}).items() if f"{path}/".startswith(prefix)}
        theirs = other.get("definitions") or {}
        names: dict[str, str] = {}
        for name in sorted(_needed(own, theirs)):
            names[name] = _free_name(name, theirs[name], definitions)
        for name, chosen in names.items():
            definitions[chosen] = _renamed(theirs[name], names)
        paths.update(_renamed(own, names))
    return {**document, "paths": paths, "definitions": definitions}


def _references(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith(REF):
            yield reference.removeprefix(REF)
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def _needed(paths: Any, definitions: Mapping[str, Any]) -> set[str]:
    """The definitions that paths reach."""
    found: set[str] = set()
    waiting = list(_references(paths))
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found.add(name)
            waiting += _references(definitions[name])
    return found


def _free_name(name: str, definition: Any, taken: Mapping[str, Any]) -> str:
    chosen, number = name, 1
    while chosen in taken and taken[chosen] != definition:
        number += 1
        chosen = f"{name}_v{number}"
    return chosen


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if all(old == new for old, new in names.items()):
        return value
    if isinstance(value, dict):
        return {
            key: REF + names.get(one.removeprefix(REF), one.removeprefix(REF))
            if key == "$ref" and isinstance(one, str)
            else _renamed(one, names)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return value


def parse(body: bytes) -> Any:
    """JSON. Raises ValueError."""
    return orjson.loads(body)
