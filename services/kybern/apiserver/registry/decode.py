"""From a request's body to an object in storage version: shape, unknown fields, defaults."""

from collections.abc import Callable, Sequence
from typing import Any

from kybern.apiserver.registry.request import Request
from kybern.kube import recognize, schema
from kybern.kube import status as statuses
from kybern.kube.defaults import apply_defaults
from kybern.kube.document_limits import TooDeep, check_depth
from kybern.kube.field import invalid
from kybern.kube.status import StatusError, bad_request, request_entity_too_large

Object = dict[str, Any]
GVK = tuple[str, str, str]
Refuse = Callable[[GVK, schema.DecodeError | str], StatusError]
LARGEST = 3 << 20  # bytes of a request body
VALIDATIONS = ("", "Ignore", "Warn", "Strict")


def parse(data: bytes, gvk: GVK) -> Object:
    """A JSON object of the expected kind. Raises StatusError (400)."""
    if len(data) > LARGEST:
        raise request_entity_too_large(f"limit is {LARGEST}")
    kind, wanted = gvk[2], recognize.expected(gvk)
    try:
        obj = recognize.typed(data)
        check_depth(obj, data)
    except (recognize.UnrecognizedError, TooDeep) as error:
        raise bad_request(recognize.unrecognized(kind, data, error)) from None
    if schema.definition(gvk) is None:
        _check_custom(obj, data, gvk)
    given, said = obj.get("apiVersion") or wanted, obj.get("kind") or kind
    if (given, said) != (wanted, kind):
        problem = recognize.mismatch(said, given, gvk) if schema.definition(gvk) is not None else ""
        if problem:
            raise bad_request(problem)
        _check_version(given, wanted)
    obj["kind"], obj["apiVersion"] = kind, wanted
    return obj


def _check_custom(obj: Object, data: bytes, gvk: GVK) -> None:
    """A custom resource says what it is. Raises StatusError (400, 422)."""
    group, _, kind = gvk
    said, wanted = obj.get("kind"), recognize.expected(gvk)
    if not said:
        shown = data.decode("utf-8", "replace")
        raise bad_request(recognize.unrecognized(kind, data, f"Object 'Kind' is missing in '{shown}'"))
    if (obj.get("apiVersion") or "") != wanted:
        _check_version(obj.get("apiVersion") or "", wanted)
    if said != kind:
        metadata = obj.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else ""
        wrong = invalid("kind", said, f"must be {kind}")
        raise statuses.invalid(group, said, name if isinstance(name, str) else "", [wrong])


def _check_version(given: str, wanted: str) -> None:
    if given.removeprefix("/") != wanted:  # an empty group may have its slash
        raise bad_request(f"the API version in the data ({given}) does not match the expected API version ({wanted})")


def decode(request: Request, data: bytes, gvk: GVK) -> Object:
    """A decoded, pruned object of `gvk`, which need not be the resource's own kind (Scale, Binding)."""
    obj, definition = parse(data, gvk), schema.definition(gvk)
    duplicated = schema.duplicate_fields(data)
    if duplicated and definition is not None:
        obj = {**schema.read_repeated(definition, data), "kind": obj["kind"], "apiVersion": obj["apiVersion"]}
    prune(request, obj, gvk, data, duplicated=duplicated)
    if request.audit is not None:
        request.audit.saw(obj)
    return obj


def refuse_body(gvk: GVK, problem: schema.DecodeError | str) -> StatusError:
    """A body that is not of its kind, or has what strict decoding refuses."""
    return schema.decode_error(gvk, str(problem))


def prune(
    request: Request,
    obj: Object,
    gvk: GVK,
    data: bytes = b"",
    refuse: Refuse = refuse_body,
    *,
    restored: bool = False,
    found: Sequence[str] = (),
    duplicated: Sequence[str] = (),
    blind: bool = False,
    in_order: Callable[[list[str]], list[str]] | None = None,
) -> None:
    """Refuse wrong types, drop unknown fields; say so as fieldValidation asks, and what else is wrong in `data`.

    `restored`: the object has been made of a map, not read; `found`: what strict decoding found before;
    `duplicated`: the members that `data` names twice; `blind`: nobody has looked into what is unknown;
    `in_order`: the order in which unknown fields are told, if not that in which they are met.
    Raises what `refuse` makes of it, and StatusError (400).
    """
    if request.field_validation not in VALIDATIONS:
        raise bad_request(f'invalid fieldValidation value "{request.field_validation}"')
    custom = request.served.custom if gvk == request.served.info.gvk else None
    definition = schema.definition(gvk)
    if definition is None and custom is None:
        return
    try:
        unknown = custom.prune(obj) if custom is not None else schema.prune(definition or {}, obj, restored=restored)
    except schema.DecodeError as error:
        if custom is None and data and not duplicated and "cannot unmarshal number " in str(error):
            error = schema.DecodeError(schema.reworded(definition or {}, data))
        raise refuse(gvk, error) from None
    if request.field_validation != "Ignore":
        if in_order is not None:
            unknown = in_order(unknown) if len(unknown) > 1 else unknown
        if blind:
            inside = tuple(f'duplicate field "{path}.' for path in unknown)
            found = [text for text in found if not text.startswith(inside)]
        problems = [*found, *_problems(request, unknown, duplicated, data, custom is None, gvk)]
        if problems and request.field_validation == "Strict":
            raise refuse(gvk, schema.strict_problem(_as_one(request, problems)))
        request.warnings += problems
    if not isinstance(obj.get("metadata"), dict):
        obj["metadata"] = {}


def repeated(request: Request) -> str:
    """What strict decoding of YAML says of keys that are given twice."""
    return "\n  ".join(("yaml: unmarshal errors:", *request.strict_errors))


def _as_one(request: Request, problems: list[str]) -> list[str]:
    """Problems of the YAML in one."""
    known = len(request.strict_errors)
    return (
        [repeated(request), *problems[known:]] if known and problems[:known] == [*request.strict_errors] else problems
    )


def _problems(
    request: Request, unknown: list[str], duplicated: Sequence[str], data: bytes, in_order: bool, gvk: GVK
) -> list[str]:
    """All that strict decoding finds; of built-in kinds in the order of the body."""
    if duplicated and in_order:  # nor into what may be any JSON
        definition = schema.definition(gvk) or {}
        duplicated = [path for path in duplicated if not schema.is_raw(definition, path)]
    if in_order and unknown and duplicated:  # nobody looks into what is unknown
        inside = tuple(f"{each}{step}" for each in unknown for step in ".[")
        duplicated = [path for path in duplicated if path not in unknown and not path.startswith(inside)]
    found = [("duplicate", path) for path in duplicated] + [("unknown", path) for path in unknown]
    if in_order and unknown and duplicated:
        places = schema.appearances(data)
        found.sort(key=lambda problem: places.get(problem, 0))
    return [*(request.strict_errors if data else ()), *(f'{what} field "{path}"' for what, path in found)]


def to_storage(request: Request, obj: Object) -> Object:
    """A decoded object of the resource's own kind, in storage version and with defaults."""
    if request.served.custom is not None:
        request.served.custom.default(obj)
        _note(request, obj)
        return request.served.to_storage(obj)
    empty: list[str] = []
    apply_defaults(request.served.info, obj, empty)
    _note(request, obj)
    stored = request.served.to_storage(obj)
    if stored is not obj:
        apply_defaults(request.served.stored, stored, empty)
    request.has_empty = bool(empty)
    return stored


def _note(request: Request, obj: Object) -> None:
    """The audit log shows the body of a write with its defaults."""
    if request.audit is not None and request.verb != "patch":
        request.audit.saw(obj)
