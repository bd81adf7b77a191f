"""Apply: a configuration states the fields its manager wants; the rest of the object is left alone."""

from typing import Any

import orjson

from kybern.kube.managed_fields.conflicts import Conflicts
from kybern.kube.managed_fields.field_set import FieldSet, difference, union, without
from kybern.kube.managed_fields.kind import Kind, NoSuchVersion
from kybern.kube.managed_fields.managers import (
    APPLY,
    BEFORE_FIRST_APPLY,
    ManagedFieldsError,
    Manager,
    Managers,
    Owned,
    cap,
    manager_of,
    read,
    write,
)
from kybern.kube.managed_fields.merge import merge, prune
from kybern.kube.managed_fields.types import KeylessError
from kybern.kube.managed_fields.update import (
    STRIPPED,
    Changes,
    bare,
    in_shape,
    manager_name,
    managers_after_update,
    others_after,
)
from kybern.kube.managed_fields.validate import check
from kybern.kube.managed_fields.versions import of_one_shape, owned_by_version, prune_across
from kybern.kube.managed_fields.walk import compare, field_set
from kybern.kube.status import bad_request, status_error

Object = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"
MAX_ANNOTATIONS = 256 << 10


def apply(
    kind: Kind,
    live: Object | None,
    config: Object,
    name: str,
    now: str,
    *,
    force: bool = False,
    subresource: str = "",
    seen_as: str = "",
) -> Object:
    """The object after `name` applies `config` over `live` (None: it does not exist), managedFields included.

    All are in the version of `kind`; `now` is a `Time`; `seen_as` is the apiVersion of the view that the client applied
    to, if it was not the object itself (a Scale). Raises StatusError: 400 and 500 for a configuration that does
    not fit, 409 for fields that other managers own. The result may hold nulls where the configuration does, and shares
    parts with the arguments.
    """
    _check_unmanaged(kind, config)
    who = manager_of(name, APPLY, kind.api_version, subresource)
    existing: Object = live if live is not None else {**_identity(config), "metadata": {}}
    managers = _managers(kind, existing, live is not None, subresource, now)
    wrong = check(kind.type, config)
    if wrong:
        raise status_error(400, "", f"failed to create typed patch object ({described(config)}): {wrong}")
    try:
        try:
            merged, after = _applied(kind, existing, config, managers, who, now, force)
        except Conflicts as conflicts:
            allowed = _taken_over(kind, existing) if name == KUBECTL and not seen_as else None
            if allowed is None:
                raise
            rest = conflicts.beyond(allowed)
            if rest is not None:
                raise rest from None
            merged, after = _applied(kind, existing, config, managers, who, now, True)
    except Conflicts as conflicts:
        raise conflicts.status(seen_as) from None
    merged = {**merged, "metadata": {**merged["metadata"]}}
    if name == KUBECTL and not seen_as:
        _renew_last_applied(merged, config)
    entries = write(cap(after))
    if entries:
        merged["metadata"]["managedFields"] = entries
    else:
        merged["metadata"].pop("managedFields", None)
    return merged


def _identity(config: Object) -> Object:
    return {key: config[key] for key in ("apiVersion", "kind") if key in config}


def _check_unmanaged(kind: Kind, config: Object) -> None:
    metadata = config.get("metadata")
    managers = metadata.get("managedFields") if isinstance(metadata, dict) else None
    if managers is not None and not check(kind.type, {"metadata": {"managedFields": managers}}):
        raise bad_request("metadata.managedFields must be nil")


def described(config: Object) -> str:
    """Namespace, name and kind of a configuration, as errors show them; what is no text is left out."""
    metadata = config.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    where = "/".join(value if isinstance(value := metadata.get(name), str) else "" for name in ("namespace", "name"))
    return f"{where}; {gvk_text(config)}"


def gvk_text(obj: Object) -> str:
    """`/v1, Kind=Pod`, as upstream prints group, version and kind."""
    api_version = obj.get("apiVersion") or ""
    return f"{api_version if '/' in str(api_version) else f'/{api_version}'}, Kind={obj.get('kind') or ''}"


def _managers(kind: Kind, live: Object, exists: bool, subresource: str, now: str) -> Managers:
    """Those on record; an object that nobody tracked counts as written by one updater before the first apply."""
    try:
        managers = read(live["metadata"].get("managedFields"))
    except ManagedFieldsError as error:
        raise status_error(500, "", f"failed to decode managed fields: {error}") from None
    if managers or not exists:
        try:
            return in_shape(kind, managers)
        except NoSuchVersion as error:
            raise status_error(500, "", str(error)) from None
    before = manager_name(kind, BEFORE_FIRST_APPLY, subresource)
    try:
        return managers_after_update(kind, {}, live, {}, before, now)
    except KeylessError:
        why = f"failed to convert new object ({described(live)}) to smd typed: {check(kind.type, live, once=False)}"
        raise status_error(400, "", f"failed to create manager for existing fields: {why}") from None


def _applied(
    kind: Kind, live: Object, config: Object, managers: Managers, who: Manager, now: str, force: bool
) -> tuple[Object, Managers]:
    """(object, managers) after the apply. Raises Conflicts."""
    live = bare(live)
    wanted = without(field_set(kind.type, config), kind.reset)
    last = managers.get(who)
    managers = {**managers, who: Owned(kind.api_version, wanted, last.time if last else "")}
    merged = _pruned(kind, merge(kind.type, live, config), managers, last)
    after = others_after(managers, Changes(kind, live, merged), who, force)
    wanted = difference(wanted, STRIPPED)
    if wanted:  # an object that stays as it is leaves times alone: who is new has none, as upstream
        unchanged = last.time if last else ""
        after[who] = Owned(kind.api_version, wanted, unchanged if merged == live else now)
    else:
        after.pop(who, None)
    return merged, after


def _pruned(kind: Kind, merged: Object, managers: Managers, last: Owned | None) -> Object:
    """Without what was applied last time, is not now, and nobody else owns."""
    if last is None or not last.fields:
        return merged
    if last.api_version != kind.api_version and kind.lens(last.api_version) is None:
        return merged
    if of_one_shape(kind, managers, last):
        owned: FieldSet = {}
        for version, fields in owned_by_version(managers).items():
            if version == kind.api_version or kind.lens(version) is not None:
                owned = union(owned, fields)
        pruned: Object = prune(kind.type, merged, last.fields, owned)
    else:
        pruned = prune_across(kind, merged, managers, last)
    return {**pruned, "metadata": pruned.get("metadata") or merged.get("metadata") or {}}


def _taken_over(kind: Kind, live: Object) -> FieldSet | None:
    """Fields that `kubectl apply` on the client's side has set and that are still as it set them."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        last = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(last, dict) or last.get("apiVersion") != kind.api_version or check(kind.type, last):
        return None
    changed, removed = compare(kind.type, last, bare(live))
    return difference(difference(field_set(kind.type, last), changed), removed)


def _renew_last_applied(merged: Object, config: Object) -> None:
    """Keep the annotation of client-side apply current, where there is one."""
    annotations = dict(merged["metadata"].get("annotations") or {})
    if not annotations.get(LAST_APPLIED):
        return
    metadata = dict(config.get("metadata") or {})
    given = metadata.pop("annotations", None)
    if given is not None:
        metadata["annotations"] = {key: value for key, value in given.items() if key != LAST_APPLIED}
    text = orjson.dumps({**config, "metadata": metadata}, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    annotations[LAST_APPLIED] = text
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MAX_ANNOTATIONS:
        del annotations[LAST_APPLIED]
    merged["metadata"]["annotations"] = annotations
