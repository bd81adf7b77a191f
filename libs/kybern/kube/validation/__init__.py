"""Validation: what a decoded, defaulted object may say, kind by kind, with upstream's paths and words.

    validate_create(info, obj)        -> list[FieldError]   empty when the object may be created
    validate_update(info, new, old)   -> list[FieldError]   both complete objects, new already defaulted
    validate_review(group, kind, obj) -> list[FieldError]   TokenReview, SubjectAccessReview …: answered, never kept
    validate_subresource_update(info, subresource, new, old) -> list[FieldError]   status, resize, ephemeralcontainers …

Objects have passed `schema.prune` and `defaults.apply_defaults`, so types are right and defaults present. An object
without `namespace` or `name` yet (generateName) gets them before validation. `kube.status.invalid` turns the errors
into the response.
"""

from kybern.kube.field import FieldError
from kybern.kube.schema import ResourceInfo
from kybern.kube.validation.fields import Errors, Object, child
from kybern.kube.validation.metadata import validate_metadata, validate_metadata_update
from kybern.kube.validation.metadata_update import any_finalizer, metadata_errors
from kybern.kube.validation.names import Check
from kybern.kube.validation.registry import REVIEWS, SUBRESOURCES, rules_for
from kybern.kube.validation.structural import validate_enums

__all__ = [
    "validate_create",
    "validate_metadata",
    "validate_metadata_update",
    "validate_review",
    "validate_subresource_update",
    "validate_update",
]


def validate_create(info: ResourceInfo, obj: Object, asked: ResourceInfo | None = None) -> list[FieldError]:
    """Every field error of a new object; `asked` is the resource of the request, which may be of another group."""
    rules = rules_for((asked or info).group, info.kind)
    errors = list(_validate_metadata(asked or info, child(obj, "metadata"), rules.name))
    rule = rules.new or rules.create
    if rule is not None:
        errors += rule(obj)
    return _with_enums(errors, info, obj)


def validate_update(
    info: ResourceInfo, new: Object, old: Object, asked: ResourceInfo | None = None
) -> list[FieldError]:
    """Every field error of a change of the main resource; `asked` as for `validate_create`."""
    rules = rules_for((asked or info).group, info.kind)
    errors, later = metadata_errors(asked or info, "", new, old, rules.name)
    if rules.create is not None and not rules.update_only:
        errors += rules.create(new)
    errors += later
    if rules.update is not None:
        errors += rules.update(new, old)
    return _with_enums(errors, info, new)


def _validate_metadata(info: ResourceInfo, metadata: Object, name: Check) -> Errors:
    anything = bool(metadata.get("finalizers")) and any_finalizer(info)
    return validate_metadata(metadata, info.namespaced, name, any_finalizer=anything)


def validate_subresource_update(info: ResourceInfo, subresource: str, new: Object, old: Object) -> list[FieldError]:
    """Every field error of a write through a subresource; the whole object as it would become, and as it is."""
    first, later = metadata_errors(info, subresource, new, old, rules_for(info.group, info.kind).name)
    rules = SUBRESOURCES.get((info.group, info.kind, subresource))
    return [*first, *later, *(rules(new, old) if rules is not None else ())]


def validate_review(group: str, kind: str, obj: Object) -> list[FieldError]:
    """Every field error of a request object that is answered and not kept."""
    rules = REVIEWS.get((group, kind))
    return [] if rules is None else list(rules(obj))


def _with_enums(errors: list[FieldError], info: ResourceInfo, obj: Object) -> list[FieldError]:
    """Add unsupported values that no rule has spoken about yet."""
    if not errors:
        return validate_enums(info, obj)
    spoken = {error.field for error in errors}
    return errors + [error for error in validate_enums(info, obj) if error.field not in spoken]
