"""Warnings of a write that fails: they go with the refusal, as they go with an answer."""

from kybern.apiserver.registry.request import Request
from kybern.kube.status import StatusError


class warned:  # noqa: N801 - a context manager, named as what it does
    """A StatusError that leaves the block carries the request's warnings."""

    __slots__ = ("_request",)

    def __init__(self, request: Request) -> None:
        self._request = request

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, StatusError):
            error.warnings = tuple(self._request.warnings)
