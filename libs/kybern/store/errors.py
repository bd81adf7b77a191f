"""What a store refuses, in etcd's terms.

StoreError
├── CompactedError        the revision asked for is history that was thrown away (HTTP 410, reason Expired)
├── FutureRevisionError   the revision asked for does not exist yet
├── TooLargeError         a transaction is larger than the store takes; nothing was written
├── LeaseNotFoundError    the lease expired or never was
├── StoreUnavailable      no answer; what was asked did not happen
│   ├── OutcomeUnknown    the write was under way when the connection was lost: it may have happened
│   └── StoreFull         no space left; the write did not happen, reads go on
└── StoreUnusable         the store cannot be opened; the message says what to do
"""


class StoreError(Exception):
    """Base of everything a store raises on purpose."""


class CompactedError(StoreError):
    """The revision is gone: list again, then watch from that list's revision. `compacted` is 0 if not known."""

    def __init__(self, requested: int, compacted: int = 0) -> None:
        known = f" (compact revision: {compacted})" if compacted else ""
        super().__init__(f"required revision {requested} has been compacted{known}")
        self.requested = requested
        self.compacted = compacted


class FutureRevisionError(StoreError):
    """The revision is ahead of the store."""

    def __init__(self, requested: int, current: int) -> None:
        super().__init__(f"required revision {requested} is a future revision (current revision: {current})")
        self.requested = requested
        self.current = current


class TooLargeError(StoreError, ValueError):
    """The transaction, or the message that carries it, is larger than the store takes."""


class LeaseNotFoundError(StoreError):
    """The lease is not known (any more)."""

    def __init__(self, lease: int) -> None:
        super().__init__(f"requested lease {lease} not found")
        self.lease = lease


class StoreUnavailable(StoreError):
    """The store gives no answer, and did not do what it was asked."""


class OutcomeUnknown(StoreUnavailable):
    """The answer to a write was lost. Read before writing again: it may have happened."""


class StoreFull(StoreUnavailable):
    """No space left on the store's device. Nothing of the write was kept."""


class StoreUnusable(StoreError):
    """The store cannot be opened: taken by another process, another program's file, another schema version."""
