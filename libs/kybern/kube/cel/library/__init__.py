"""The functions of CEL in Kubernetes, one module per library; `table` has them all by name."""

from functools import lru_cache

from kybern.kube.cel.library import (
    authorizer,
    cidr,
    formats,
    image,
    ip,
    json_patch,
    lists,
    optional,
    quantity,
    regex,
    semver,
    sets,
    standard,
    strings,
    times,
    url,
)
from kybern.kube.cel.overloads import Function, Overload

MODULES = (
    standard, strings, times, lists, sets, optional, regex, url, quantity, ip, cidr, image, semver, formats,
    authorizer, json_patch,
)  # fmt: skip


@lru_cache(maxsize=1)
def table() -> dict[str, Function]:
    """Every function by its name."""
    found: dict[str, list[Overload]] = {}
    for module in MODULES:
        for overload in module.OVERLOADS:
            found.setdefault(overload.function, []).append(overload)
    return {name: Function(name, overloads) for name, overloads in found.items()}
