"""Kind: one kind in the version of a request, and its other versions for managers that wrote in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kybern.kube.managed_fields.field_set import FieldSet
from kybern.kube.managed_fields.types import Type

Object = dict[str, Any]


class NoSuchVersion(Exception):
    """A manager has written a custom resource in a version that its definition has no more."""

    def __init__(self, api_version: str) -> None:
        super().__init__(f"request to convert CR to an invalid group/version: {api_version}")


@dataclass(frozen=True)
class Lens:
    """Another version: its type, and how to see an object in it; without `convert` the shapes are the same."""

    type: Type
    convert: Callable[[Object], Object] | None = None


@dataclass(frozen=True)
class Kind:
    """What managing fields needs to know of a kind.

    `reset` holds the fields that the endpoint cannot change. `lens(api_version)` is None for a version no longer
    served: managers that wrote in it are dropped; of a custom resource it raises NoSuchVersion. `changing`: the schema
    may be another than when they wrote. `back` sees an object of a version of another shape in this one.
    """

    type: Type
    api_version: str
    reset: FieldSet
    lens: Callable[[str], Lens | None]
    changing: bool = False
    back: Callable[[Object], Object] | None = None
