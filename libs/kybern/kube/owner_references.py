"""Owner references: one that is given twice, alike in every member, counts once, and who sends it is told."""

from typing import Any

Object = dict[str, Any]
_WARNING = (
    ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may "
    "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {uids}"
)
ADMITTED = " after mutating admission happens"


def drop_repeated(metadata: Object, when: str = "") -> str:
    """Leave each owner in the metadata once; the warning about it, empty if there was nothing to do."""
    owners = metadata.get("ownerReferences")
    if not owners or len(owners) < 2:
        return ""
    kept: list[Any] = []
    repeated = []
    for owner in owners:
        if owner in kept:
            repeated.append(str(owner.get("uid") or ""))
        else:
            kept.append(owner)
    if not repeated:
        return ""
    metadata["ownerReferences"] = kept
    return _WARNING.format(when=when, uids=", ".join(repeated))
