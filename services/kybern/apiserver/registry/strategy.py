"""Strategy: where a kind differs from the generic registry, as a row of functions and flags."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kybern.kube.field import FieldError
from kybern.store.contract import Write

if TYPE_CHECKING:
    from kybern.apiserver.registry.request import Request

Object = dict[str, Any]
Prepare = Callable[["Request", Object], None]
PrepareUpdate = Callable[["Request", Object, Object], None]
Allocate = Callable[["Request", Object, Object | None], "Allocation"]
CheckHere = Callable[["Request", Object, Object | None], list[FieldError]]
Subcreate = Callable[["Request", bytes], Awaitable[bytes]]  # (request, body) → body of the answer
Grace = Callable[[Object, int | None], int]
Claims = Callable[[Any, Object | None, Object | None], tuple[Write, ...]]  # (server, new, old)


@dataclass(frozen=True)
class Allocation:
    """What was taken for a write: `undo` when it fails, `done` when it is committed."""

    undo: Callable[[], None] = lambda: None
    done: Callable[[], None] = lambda: None


NOTHING_TAKEN = Allocation()


@dataclass(frozen=True)
class Strategy:
    """Defaults are what most kinds do."""

    prepare_create: tuple[Prepare, ...] = ()  # before validation of a new object
    prepare_update: tuple[PrepareUpdate, ...] = ()  # (request, new, old)
    status_update: tuple[PrepareUpdate, ...] = ()  # the same, for the status subresource
    allocate: Allocate | None = None  # before validation
    released: Callable[["Request", Object], None] | None = None  # after the object is gone
    claims: Claims | None = None  # what is written in the same transaction: see claims.py
    grace: Grace | None = None  # graceful deletion: seconds for (object, seconds asked for)
    orphans_by_default: bool = False
    returns_deleted: bool = False  # DELETE answers with the object rather than a Status
    create_on_update: bool = False
    status_on_create: bool = False  # who makes the object may say its status, too
    unconditional_update: bool = True  # PUT without a resourceVersion overwrites whatever is there
    ttl: float = 0  # seconds that an object lives after its last write; 0 = for ever
    creates: Mapping[str, Subcreate] = field(default_factory=dict)  # POST to a subresource; "" = to the resource
    updates: Mapping[str, PrepareUpdate] = field(default_factory=dict)  # PUT/PATCH to a subresource of the same kind
    validate_delete: Prepare | None = None
    prepare_delete: Prepare | None = None  # changes the object before deletion is decided
    marks_time_alone: bool = False  # the first mark of a deletion has no grace and makes no new generation
    check: Callable[[Object, Object | None], list[FieldError]] | None = None  # (new, old) → further field errors
    check_here: CheckHere | None = None  # the same, before all others, of any subresource
    order: Callable[[list[FieldError]], list[FieldError]] | None = None  # in which all field errors are told
    warn: Callable[[Object, Object | None], list[str]] | None = None  # (new, old) → warnings of what is valid


PLAIN = Strategy()


def already_made(request: "Request", new: Object, old: Object) -> None:
    """For a subresource whose own handler has made the change: the generic registry carries it out."""
