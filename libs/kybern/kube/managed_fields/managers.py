"""Managers: who owns which fields of an object, as `metadata.managedFields` records it.

A manager is a name, an operation and a subresource; for updates also the version it wrote in. An applier stays the same
manager when it changes versions.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from kybern.kube.field import FieldError, invalid, too_long
from kybern.kube.managed_fields import field_set
from kybern.kube.managed_fields.field_set import FieldSet, union

Object = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
BEFORE_FIRST_APPLY = "before-first-apply"
ANCIENT_CHANGES = "ancient-changes"
MAX_UPDATERS = 10
MAX_NAME = 128


class Manager(NamedTuple):
    """Who; `api_version` is empty for appliers."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def readable(self, api_version: str = "") -> str:
        """As conflicts name it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text if self.operation == APPLY else f"{text} using {api_version or self.api_version}"


class Owned(NamedTuple):
    """What a manager owns, in the shape of one version, and when that last changed."""

    api_version: str
    fields: FieldSet
    time: str = ""


Managers = dict[Manager, Owned]


class ManagedFieldsError(ValueError):
    """managedFields that cannot be read."""


def manager_of(name: str, operation: str, api_version: str, subresource: str = "") -> Manager:
    """The identity of a writer."""
    return Manager(name, operation, "" if operation == APPLY else api_version, subresource)


@lru_cache
def name_from_user_agent(user_agent: str) -> str:
    """Who writes without a fieldManager: the printable part of the user agent before the first slash."""
    text = "".join(char for char in user_agent.partition("/")[0] if char.isprintable())
    return text.encode()[:MAX_NAME].decode(errors="ignore")


def wrong_name(name: str) -> list[FieldError]:
    """What is wrong with a fieldManager that a client names."""
    if not name:
        return []
    errors = [too_long("fieldManager", MAX_NAME)] if len(name.encode()) > MAX_NAME else []
    if name.isprintable():
        return errors
    at, char = next((at, char) for at, char in enumerate(name) if not char.isprintable())
    return [*errors, invalid("fieldManager", name, f"invalid character U+{ord(char):04X} (at position {at})")]


def read(entries: Any) -> Managers:
    """The managers of entries that this server has written. Raises ManagedFieldsError."""
    return _read(entries, False)


def read_foreign(entries: Any) -> Managers:
    """The managers of entries that a client has written. Raises ManagedFieldsError."""
    return _read(entries, True)


def _read(entries: Any, foreign: bool) -> Managers:
    found: Managers = {}
    try:
        for index, entry in enumerate(entries or ()):
            operation = entry.get("operation")
            api_version = entry.get("apiVersion") or ""
            if operation not in (APPLY, UPDATE):
                raise ManagedFieldsError("operation must be `Apply` or `Update`")
            if not api_version:
                raise ManagedFieldsError("apiVersion must not be empty")
            kind = entry.get("fieldsType")
            if kind != "FieldsV1":
                said = f'invalid fieldsType "{kind}"' if kind else "missing fieldsType"
                raise ManagedFieldsError(f"{said} in managed fields entry {index}")
            fields = entry.get("fieldsV1") or {}
            who = manager_of(entry.get("manager") or "", operation, api_version, entry.get("subresource") or "")
            found[who] = Owned(api_version, field_set.decode(fields) if foreign else fields, entry.get("time") or "")
    except (AttributeError, TypeError, ValueError) as error:
        if isinstance(error, ManagedFieldsError):
            raise
        raise ManagedFieldsError(f"error decoding managed fields: {error}") from None
    return found


def is_reset(entries: Any) -> bool:
    """Whether a client asks to forget all managers: `[]` or `[{}]`."""
    return isinstance(entries, list) and (not entries or (len(entries) == 1 and not entries[0]))


def write(managers: Managers) -> list[Object]:
    """metadata.managedFields: appliers first, then by time; managers that own nothing are left out."""
    rows = [(who, owned) for who, owned in managers.items() if owned.fields]
    if len(rows) > 1:
        rows.sort(key=_order)
    return [_entry(who, owned) for who, owned in rows]


def _order(row: tuple[Manager, Owned]) -> tuple[str, ...]:
    who, owned = row
    return who.operation, owned.time, who.name, owned.api_version, who.subresource


def _entry(who: Manager, owned: Owned) -> Object:
    entry: Object = {"manager": who.name, "operation": who.operation, "apiVersion": owned.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = field_set.in_order(owned.fields)
    if who.subresource:
        entry["subresource"] = who.subresource
    return entry


def same_but_times(a: Any, b: Any) -> bool:
    """Whether two managedFields differ in times at most."""
    return _timeless(a) == _timeless(b)


def _timeless(entries: Iterable[Object] | None) -> list[Object]:
    bare = [{key: value for key, value in entry.items() if key != "time"} for entry in entries or ()]
    return sorted(bare, key=lambda e: (e["operation"], e.get("manager", ""), e["apiVersion"], e.get("subresource", "")))


def cap(managers: Managers) -> Managers:
    """Fold the oldest updaters of each version into one, until few enough are left."""
    updaters = [who for who in managers if who.operation == UPDATE]
    if len(updaters) <= MAX_UPDATERS:
        return managers
    out, left = dict(managers), len(updaters)
    updaters.sort(key=lambda who: (out[who].time, who))
    first: dict[str, Manager] = {}
    for who in updaters:
        if left <= MAX_UPDATERS:
            break
        owned = out[who]
        version = owned.api_version
        if version not in first:
            first[version] = who
            continue
        bucket = manager_of(ANCIENT_CHANGES, UPDATE, version)
        if bucket not in out:
            out[bucket] = out.pop(first[version])
        if bucket != who:
            del out[who]
        out[bucket] = Owned(version, union(out[bucket].fields, owned.fields), owned.time)
        left -= 1
    return out
