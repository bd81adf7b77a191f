"""The trace context of the call that is being answered.

A server span exists only under a sampled `traceparent` from the client. What a handler does is a child of that span,
or of the client's if none is recorded here.
"""

from contextvars import ContextVar
from typing import Any

_span: ContextVar[str] = ContextVar("kybern_rpc_traceparent", default="")


def metadata_value(context: Any, key: str) -> str:
    """The first value of a metadata key that the client sent; "" without it."""
    for name, value in context.invocation_metadata() or ():
        if name == key:
            return value if isinstance(value, str) else str(value, "ascii", "replace")
    return ""


def traceparent(context: Any) -> str:
    """What spans of a handler should have as their parent; "" when the call is not traced."""
    return _span.get() or metadata_value(context, "traceparent")


def enter_span(parent: str) -> None:
    """From here on, in this call, `traceparent` is the server span."""
    _span.set(parent)
