"""Expectations: writes a controller has made and not yet seen come back through its informer.

A controller that counts its pods must not count before its own creations and deletions show up, or it would make them
twice. Expectations that are not met within five minutes are given up: the informer may have missed a change.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

EXPIRE_SECONDS = 300.0


@dataclass(slots=True)
class _Expected:
    creations: int
    deletions: set[str]
    since: float


@dataclass(slots=True)
class Expectations:
    """Open expectations by the controlling object's key. Times are seconds on any one timer."""

    _expected: dict[str, _Expected] = field(default_factory=dict)

    def satisfied(self, key: str, now: float) -> bool:
        """Everything expected has been seen, or is not waited for any longer."""
        expected = self._expected.get(key)
        if expected is None:
            return True
        return (expected.creations <= 0 and not expected.deletions) or now - expected.since > EXPIRE_SECONDS

    def expect(self, key: str, creations: int, deletions: Iterable[str], now: float) -> None:
        """So many pods to come, and these to go, by anything that names each once and for all."""
        self._expected[key] = _Expected(creations, set(deletions), now)

    def creation_observed(self, key: str, count: int = 1) -> None:
        expected = self._expected.get(key)
        if expected is not None:
            expected.creations -= count

    def deletion_observed(self, key: str, pod: str) -> None:
        expected = self._expected.get(key)
        if expected is not None:
            expected.deletions.discard(pod)

    def forget(self, key: str) -> None:
        """The controlling object is gone."""
        self._expected.pop(key, None)
