"""Warnings of a write that fails: they go with the refusal, as they go with an answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from kybern.apiserver.registry.request import Request
from kybern.kube.status import StatusError


@contextmanager
def warned(request: Request) -> Iterator[None]:
    """A StatusError that leaves the block carries the request's warnings."""
    try:
        yield
    except StatusError as error:
        error.warnings = tuple(request.warnings)
        raise
