"""What is said of a value that does not fit its field where a patched map becomes a struct without being JSON between.

Upstream turns the outcome of a strategic merge patch into a struct value by value, with messages of its own.
"""

from typing import Any

_KINDS = {bool: "bool", int: "int64", float: "float64", str: "string", list: "slice", dict: "map"}
_SCALARS = ("bool", "float64", "int32", "int64", "string")


def restore_error(value: Any, wanted: str, named: str | None = None) -> str:
    """The message for a value where Go wants another type, such as `map[string]string`, `[]v1.Container`, `int32`.

    `named` is Go's own name of that type, where it has one.
    """
    kind = _KINDS.get(type(value), "invalid")
    if wanted.startswith("map["):
        return f"cannot restore map from {kind}"
    if wanted.startswith("[]"):
        return f"cannot restore slice from {kind}"
    if wanted not in _SCALARS:
        return f"cannot restore struct from: {kind}"
    is_convertible = (kind, wanted) == ("int64", "string") or (kind == "float64" and wanted.startswith("int"))
    return f"cannot convert {kind} to {named or wanted}" if is_convertible else f"unrecognized type: {wanted}"
