"""ObjectMeta: names, labels, annotations, owners and finalizers, and what of them may change."""

from kybern.kube.field import Struct, forbidden, invalid, required, too_long
from kybern.kube.validation.fields import IMMUTABLE, Errors, Object, child, immutable, items, text
from kybern.kube.validation.names import Check, dns1123_label, label_key, label_value, qualified_name

TOTAL_ANNOTATIONS_LIMIT = 256 * 1024
STANDARD_FINALIZERS = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_OWNER = ("apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion")
_NEVER_OWNERS = frozenset({("v1", "Event")})


def validate_metadata(
    meta: Object, namespaced: bool, name_check: Check, path: str = "metadata", any_finalizer: bool = False
) -> Errors:
    """Everything but `managedFields`; `name_check` is the kind's rule for names.

    A finalizer without a domain must be a standard one, except with `any_finalizer`.
    """
    yield from validate_identity(meta, namespaced, name_check, path)
    if meta.get("labels") or meta.get("annotations") or meta.get("ownerReferences"):
        yield from validate_formats(meta, path)
    if meta.get("finalizers"):
        yield from validate_finalizers(meta, path)
        if not any_finalizer:
            yield from validate_standard_finalizers(meta, path)


def validate_identity(meta: Object, namespaced: bool, name_check: Check, path: str = "metadata") -> Errors:
    """Name, namespace and generation."""
    prefix = meta.get("generateName") or ""
    if prefix:
        # What comes after the prefix is alphanumeric, so a prefix may end in a hyphen.
        for problem in name_check(prefix[:-1] + "a" if prefix.endswith("-") else prefix):
            yield invalid(f"{path}.generateName", prefix, problem)
    name = meta.get("name") or ""
    if not name:
        yield required(f"{path}.name", "name or generateName is required")
    else:
        yield from text(name, f"{path}.name", name_check)
    yield from _namespace(meta.get("namespace") or "", namespaced, path)
    if (meta.get("generation") or 0) < 0:
        yield invalid(f"{path}.generation", meta["generation"], "must be greater than or equal to 0")


def validate_formats(meta: Object, path: str = "metadata") -> Errors:
    """Labels, annotations and owners."""
    yield from validate_labels(meta.get("labels"), f"{path}.labels")
    yield from validate_annotations(meta.get("annotations"), f"{path}.annotations")
    yield from _owner_references(meta, f"{path}.ownerReferences")


def _namespace(namespace: str, namespaced: bool, path: str) -> Errors:
    if namespaced:
        if not namespace:
            yield required(f"{path}.namespace")
        else:
            yield from text(namespace, f"{path}.namespace", dns1123_label)
    elif namespace:
        yield forbidden(f"{path}.namespace", "not allowed on this type")


def validate_labels(labels: dict[str, str] | None, path: str) -> Errors:
    for key, value in (labels or {}).items():
        yield from text(key, path, label_key)
        yield from text(value, path, label_value)


def validate_annotations(annotations: dict[str, str] | None, path: str) -> Errors:
    size = 0
    for key, value in (annotations or {}).items():
        for problem in label_key(key.lower()):
            yield invalid(path, key, problem)
        size += len(key.encode()) + len(value.encode())
    if size > TOTAL_ANNOTATIONS_LIMIT:
        yield too_long(path, TOTAL_ANNOTATIONS_LIMIT)


def _owner_references(meta: Object, path: str) -> Errors:
    """Which of several owners is broken is not told."""
    controllers = []
    for owner in items(meta, "ownerReferences"):
        version = owner.get("apiVersion") or ""
        if version.count("/") > 1 or not version.rpartition("/")[2]:
            yield invalid(f"{path}.apiVersion", version, "version must not be empty")
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                yield invalid(f"{path}.{name}", "", "must not be empty")
        if (owner.get("apiVersion"), owner.get("kind")) in _NEVER_OWNERS:
            detail = f"/{owner['apiVersion']}, Kind={owner['kind']} is disallowed from being an owner"
            yield invalid(path, Struct({name: owner[name] for name in _OWNER if name in owner}), detail)
        if owner.get("controller"):
            controllers.append(owner.get("kind", "") + "/" + owner.get("name", ""))
            if len(controllers) > 1:
                detail = 'Only one reference can have Controller set to true. Found "true" in references for '
                shown = [Struct({name: one[name] for name in _OWNER if name in one}) for one in meta["ownerReferences"]]
                yield invalid(path, shown, f"{detail}{controllers[0]} and {controllers[-1]}")


def validate_finalizers(meta: Object, path: str = "metadata") -> Errors:
    """What holds for the finalizers of every kind."""
    finalizers, path = items(meta, "finalizers"), f"{path}.finalizers"
    for name in finalizers:
        yield from text(name, path, qualified_name)
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        yield invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")


def validate_standard_finalizers(meta: Object, path: str = "metadata") -> Errors:
    """Finalizers without a domain are Kubernetes' own."""
    for index, name in enumerate(items(meta, "finalizers")):
        if "/" not in name and name not in STANDARD_FINALIZERS:
            detail = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid(f"{path}.finalizers[{index}]", name, detail)


def validate_finalizer_name(name: str, path: str) -> Errors:
    yield from text(name, path, qualified_name)
    if "/" not in name and name not in STANDARD_FINALIZERS:
        yield invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")


def finalizer_warnings(new: Object, old: Object, path: str = "metadata.finalizers") -> list[str]:
    """What is said of finalizers added to a custom resource that other kinds would not take."""
    found = []
    for name in sorted(set(items(new, "finalizers")) - set(items(old, "finalizers"))):
        found += [f'{path}: "{name}": {problem}' for problem in qualified_name(name)]
        if "/" not in name and name not in STANDARD_FINALIZERS:
            including = " including a path (/)" if "." in name else ""
            found.append(
                f'{path}: "{name}": prefer a domain-qualified finalizer name{including} to avoid accidental conflicts '
                "with other finalizer writers"
            )
    return found


def validate_metadata_update(new: Object, old: Object, path: str = "metadata") -> Errors:
    """What of the metadata may not change between two writes; formats are checked by `validate_metadata`."""
    for name in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp"):
        yield from immutable(new.get(name), old.get(name), f"{path}.{name}")
    grace = new.get("deletionGracePeriodSeconds")
    if grace != old.get("deletionGracePeriodSeconds"):  # nothing and zero are not the same here
        yield invalid(f"{path}.deletionGracePeriodSeconds", grace, IMMUTABLE)
    if (new.get("generation") or 0) < (old.get("generation") or 0):
        yield invalid(f"{path}.generation", new.get("generation") or 0, "must not be decremented")
    if old.get("deletionTimestamp"):
        added = sorted(set(items(new, "finalizers")) - set(items(old, "finalizers")))
        if added:
            listed = ", ".join(f'"{name}"' for name in added)
            shown = "no new finalizers can be added if the object is being deleted, found new finalizers "
            yield forbidden(f"{path}.finalizers", f"{shown}[]string{{{listed}}}")


def validate_selector(selector: Object | None, path: str) -> Errors:
    """A LabelSelector: its labels, and each expression's operator with the values it needs."""
    if selector is None:
        return
    yield from validate_labels(selector.get("matchLabels"), f"{path}.matchLabels")
    for index, expression in enumerate(items(selector, "matchExpressions")):
        at = f"{path}.matchExpressions[{index}]"
        values = items(expression, "values")
        match expression.get("operator"):
            case "In" | "NotIn":
                if not values:
                    yield required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'")
            case "Exists" | "DoesNotExist":
                if values:
                    yield forbidden(
                        f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                    )
            case operator:
                yield invalid(f"{at}.operator", operator or "", "not a valid selector operator")
        yield from text(expression.get("key") or "", f"{at}.key", label_key)
        for position, value in enumerate(values):
            yield from text(value, f"{at}.values[{position}]", label_value)


def matches_nothing(selector: Object) -> bool:
    """An empty selector, which would select everything."""
    return not child(selector, "matchLabels") and not items(selector, "matchExpressions")


__all__ = [
    "finalizer_warnings",
    "matches_nothing",
    "validate_annotations",
    "validate_finalizer_name",
    "validate_finalizers",
    "validate_formats",
    "validate_identity",
    "validate_labels",
    "validate_metadata",
    "validate_metadata_update",
    "validate_selector",
    "validate_standard_finalizers",
]
