"""Patching an object of any kind: JSON patch, merge patch, strategic merge patch, on its served version."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson

from kybern.apiserver.registry import unreadable
from kybern.apiserver.registry.decode import LARGEST, Refuse, parse, prune, to_storage
from kybern.apiserver.registry.metadata import ordered
from kybern.apiserver.registry.request import Request
from kybern.apiserver.registry.update import change, need_name, need_version
from kybern.kube import field, recognize, schema
from kybern.kube.document_limits import TooDeep, check_depth
from kybern.kube.go_json import loads_error
from kybern.kube.go_values import printed
from kybern.kube.patch import json as json_patch
from kybern.kube.patch import member_order, schema_facts, strategic
from kybern.kube.patch import merge as merge_patch
from kybern.kube.schema.restore_errors import restore_error
from kybern.kube.status import StatusError, bad_request, invalid, request_entity_too_large, unsupported_media_type

Object = dict[str, Any]
JSON, MERGE, STRATEGIC = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
APPLY = "application/apply-patch+yaml"
TYPES = (JSON, MERGE, STRATEGIC, APPLY)
GVK = tuple[str, str, str]
_PARTS = re.compile(r"[^.\[\]]+")
_IN_VALUE = re.compile(r"\[(\d+)\]\.value([.\[].*)")


def decode_patch(data: bytes, patch_type: str = MERGE, *, lenient: bool = False) -> Any:
    """Raises StatusError (400, 413). `lenient`: with fieldValidation=Ignore nobody but the patching itself reads it."""
    prefix = "" if patch_type == STRATEGIC or lenient else "error decoding patch: "
    if len(data) > LARGEST:
        raise request_entity_too_large(f"limit is {LARGEST}")
    try:
        decoded = orjson.loads(data)
        check_depth(decoded, data)
        return decoded
    except orjson.JSONDecodeError as error:
        if lenient and patch_type == MERGE:
            raise bad_request("Invalid JSON Patch") from None
        raise bad_request(f"{prefix}{loads_error(data, error)}") from None
    except TooDeep as error:
        raise bad_request(f"{prefix}{error}") from None


def apply_patch(patch_type: str, current: Object, patch: Any, gvk: GVK, *, lenient: bool = False) -> Object:
    """The patched object; `lenient` as for JSON patches. Raises StatusError (400, 415, 422)."""
    if patch_type == JSON:
        return json_patch.apply(current, patch, lenient=lenient)
    if patch_type == MERGE:
        return merge_patch.apply(current, patch, lenient=lenient)
    if patch_type == STRATEGIC:
        name = schema_facts.definition_name(*gvk)
        if not name:
            raise unsupported_media_type([JSON, MERGE])
        return strategic.apply(current, patch, schema_facts.built_in(), name)
    raise unsupported_media_type(TYPES)


def strict_problems(request: Request, patch_type: str, wanted: Any, data: bytes) -> list[str]:
    """What fieldValidation has to say of the patch itself: members named twice, unknown ones of JSON patches."""
    if request.field_validation == "Ignore":
        return []
    duplicated = schema.duplicate_fields(data)
    if patch_type != JSON:
        return [f'duplicate field "{path}"' for path in duplicated]
    unknown = [
        f"[{index}].{name}"
        for index, operation in enumerate(wanted if isinstance(wanted, list) else ())
        if isinstance(operation, dict)
        for name in operation
        if name not in json_patch.MEMBERS
    ]
    problems = [("duplicate", path) for path in duplicated if path not in unknown] + [
        ("unknown", path) for path in unknown
    ]
    if duplicated and unknown:
        places = schema.appearances(data)
        problems.sort(key=lambda problem: places.get(problem, 0))
    given = (_given_twice(wanted, path) for path in duplicated)
    return [
        *(f'json patch {what} field "{path}"' for what, path in problems),
        *(f'duplicate field "{path}"' for path in given if path),
    ]


def _given_twice(operations: list[Object], path: str) -> str:
    """Where in the object a member will be that the value of an operation names twice; empty if nowhere."""
    found = _IN_VALUE.fullmatch(path)
    if found is None or operations[int(found[1])].get("op") not in ("add", "replace"):
        return ""
    steps = str(operations[int(found[1])].get("path") or "").split("/")[1:]
    if "-" in steps:  # how long the list is has not been looked at
        return ""
    shown = "".join(f"[{step}]" if step.isdigit() and at else f".{step}" for at, step in enumerate(steps))
    return shown.removeprefix(".") + found[2]


def refuse_patched(
    patch_type: str, before: Object, wanted: Any, patched: bytes, gvk: GVK, problem: schema.DecodeError | str
) -> StatusError:
    """What a patch made is not of its kind: upstream blames a strategic merge patch, or else all that came of it."""
    if patch_type == STRATEGIC:
        left = strategic.left_over(before, wanted, schema_facts.built_in(), schema_facts.definition_name(*gvk))
        shown, detail = printed(left), problem.restoring if isinstance(problem, schema.DecodeError) else problem
    else:
        shown, detail = _shown(patch_type, wanted, patched), str(problem)
    return invalid("", "", "", [field.invalid("patch", shown, detail)])


def _shown(patch_type: str, wanted: Any, patched: bytes) -> str:
    """The object in the order in which upstream's patching leaves it."""
    obj = orjson.loads(patched)
    if not isinstance(obj, dict):
        return patched.decode()
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        obj["metadata"] = ordered(metadata)
    obj = member_order.merged(obj, wanted) if patch_type == MERGE else member_order.stepped(obj, wanted)
    return orjson.dumps(obj).decode()


async def patch(request: Request, patch_type: str, data: bytes) -> bytes:
    """PATCH of an existing object; bytes in the request's version."""
    served = request.served
    if request.served.storage.get(request.namespace, request.name) is None:
        raise unreadable.missing(served, request.namespace, request.name)
    wanted = decode_patch(data, patch_type, lenient=request.field_validation == "Ignore")
    found = strict_problems(request, patch_type, wanted, data)

    async def produce(current: Object) -> Object:
        before = schema.convert(current, served.info.api_version) if not served.is_stored_version else current
        if request.subresource == "status" and before.get("status") is None and served.custom is None:
            before = {**before, "status": {}}  # a status is always there to be added to
        if patch_type == JSON:
            before = _as_written(before, served.custom is not None)
        patched = apply_patch(patch_type, before, wanted, served.info.gvk, lenient=request.field_validation == "Ignore")
        try:
            body = orjson.dumps(patched)
        except TypeError as error:  # a patch may nest deeper what was deep before
            raise bad_request(f"the patched object cannot be written: {error}") from None
        request.warnings.clear()
        obj = read_patched(request, patch_type, before, wanted, patched, body, served.info.gvk, found)
        need_name(request, obj)
        need_version(request, obj)
        if obj["metadata"].get("resourceVersion") == current["metadata"]["resourceVersion"]:
            obj["metadata"].pop("resourceVersion")  # the patch names no version: another writer is no conflict
            if _names_version(wanted):
                obj["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"]
        return to_storage(request, obj)

    return served.present(await change(request, produce))


def _as_written(obj: Object, custom: bool) -> Object:
    """The object with its members in the order in which a JSON patch may copy them."""
    if custom:
        obj = orjson.loads(orjson.dumps(obj, option=orjson.OPT_SORT_KEYS))
    return {**obj, "metadata": ordered(obj["metadata"])}


def read_patched(
    request: Request,
    patch_type: str,
    before: Object,
    wanted: Any,
    patched: Object,
    body: bytes,
    gvk: GVK,
    found: Sequence[str] = (),
) -> Object:
    """What a patch made, as an object of its kind without unknown fields. Raises StatusError (400, 422).

    `found`: what strict decoding finds in the patch itself.
    """
    refuse = partial(refuse_patched, patch_type, before, wanted, body)
    obj = _read(patch_type, patched, body, gvk, refuse)
    in_order = partial(_in_order, patch_type, wanted, body)
    restored, blind = patch_type == STRATEGIC, patch_type == JSON
    prune(request, obj, gvk, refuse=refuse, restored=restored, found=found, blind=blind, in_order=in_order)
    return obj


def _in_order(patch_type: str, wanted: Any, patched: bytes, unknown: list[str]) -> list[str]:
    """Unknown fields as they are told: sorted, but for what a JSON patch has put there as a whole."""
    if patch_type != JSON:
        return sorted(unknown, key=lambda path: [(part.isdigit(), int(part) if part.isdigit() else part)
                                                 for part in _PARTS.findall(path)])  # fmt: skip
    places = schema.appearances(_shown(patch_type, wanted, patched).encode())
    return sorted(unknown, key=lambda path: places.get(("unknown", path), 0))


def _read(patch_type: str, patched: Object, body: bytes, gvk: GVK, refuse: Refuse) -> Object:
    if patch_type == STRATEGIC:  # fills a structure whose kind is settled
        for member in ("kind", "apiVersion"):
            value = patched.get(member)
            if value is not None and not isinstance(value, str):
                raise refuse(gvk, restore_error(value, "string"))
        return {**orjson.loads(body), "kind": gvk[2], "apiVersion": recognize.expected(gvk)}
    try:
        recognize.typed(body)
        return parse(body, gvk)
    except recognize.UnrecognizedError as error:
        raise refuse(gvk, str(error)) from None
    except StatusError as error:
        raise refuse(gvk, error.message.rpartition(f" cannot be handled as a {gvk[2]}: ")[2]) from None


def _names_version(wanted: Any) -> bool:
    """Whether a merge patch says which resourceVersion it is for."""
    metadata = wanted.get("metadata") if isinstance(wanted, dict) else None
    return isinstance(metadata, dict) and bool(metadata.get("resourceVersion"))
