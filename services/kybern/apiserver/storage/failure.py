"""What a client is told when the store does not do what is asked of it.

Nothing happened and it may be tried again: 500 ServerTimeout, as upstream says of a store that it cannot reach, but
without Retry-After: with it, kubectl would try for minutes before it says anything. A write whose answer was lost: 504
Timeout, since it may have happened. No space left: 500.
"""

from typing import Any

from kybern.kube.status import StatusError, internal, server_timeout, timeout
from kybern.store.errors import OutcomeUnknown, StoreError, StoreFull, StoreUnavailable


class StorageFailed(StatusError):
    """The StatusError of a store's error, for those who do not know of stores; `error` says more."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(storage_failure(error, "storage", None).status)
        self.error = error


def storage_failure(error: StoreError | StorageFailed, verb: str, message: Any) -> StatusError:
    """The Status of a request (its verb and message) that ended with an error of the store."""
    if isinstance(error, StorageFailed):
        error = error.error
    if isinstance(error, OutcomeUnknown):
        return timeout(f"request did not complete within the allotted time and may have been carried out: {error}")
    if isinstance(error, StoreFull) or not isinstance(error, StoreUnavailable):
        return internal(f"storage: {error}")
    asked = getattr(message, "resource", None)
    group, resource = (asked.group, asked.resource) if asked is not None else ("", "objects")
    failed = server_timeout(group, resource, verb)
    failed.status["message"] += f" (storage: {error})"
    return failed
