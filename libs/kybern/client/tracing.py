"""The trace context of the work under way: set around a reconcile, taken up by the writes made in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def current_traceparent() -> str:
    """The trace context of the work under way; "" without one."""
    return _traceparent.get()


@contextmanager
def under(traceparent: str) -> Iterator[None]:
    """Do a block, and the tasks it starts, under this trace context; "" is none."""
    token = _traceparent.set(traceparent)
    try:
        yield
    finally:
        _traceparent.reset(token)
