"""Which Event a happening becomes: a new one, one more of the same, one for many similar, or none.

client-go's rules, as a pure state machine over time given in seconds: the same happening again raises the count of
its Event; ten and more different messages about the same thing within ten minutes share one Event; and an object that
makes more noise than 25 at once and one every five minutes after that is not listened to.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

MAX_SIMILAR = 10
SIMILAR_SECONDS = 600.0
SPAM_BURST = 25
SPAM_QPS = 1.0 / 300.0
CACHE_SIZE = 4096
COMBINED = "(combined from similar events): "


@dataclass(frozen=True, slots=True)
class Happening:
    """What is reported: about which object (by reference), how serious, why, in words."""

    namespace: str
    object: tuple[str, ...]  # apiVersion, kind, namespace, name, uid, resourceVersion, fieldPath
    type: str  # Normal or Warning
    reason: str
    message: str
    action: str = ""

    @property
    def about(self) -> tuple[str, ...]:
        """The object, without the version it was seen in."""
        return (*self.object[:5], self.object[6])

    @property
    def similar(self) -> tuple[str, ...]:
        """What happenings have in common that may share one Event."""
        return (*self.about, self.type, self.reason, self.action)


@dataclass(frozen=True, slots=True)
class Record:
    """The Event to write: created when `count` is 1, else raised to `count`."""

    key: tuple[str, ...]
    message: str
    count: int


@dataclass(slots=True)
class _Similar:
    messages: set[str] = field(default_factory=set)
    last: float = 0.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    last: float


class Correlator:
    """Remembers the last few thousand happenings."""

    def __init__(self) -> None:
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._counts: OrderedDict[tuple[str, ...], int] = OrderedDict()
        self._buckets: OrderedDict[tuple[str, ...], _Bucket] = OrderedDict()

    def observe(self, happening: Happening, now: float) -> Record | None:
        """What to write about it; None when its object is too noisy."""
        key, message = self._aggregate(happening, now)
        if not self._listened_to(happening, now):
            return None
        count = self._counts.get(key, 0) + 1
        self._counts[key] = count
        _trim(self._counts, key)
        return Record(key, message, count)

    def forget(self, key: tuple[str, ...]) -> None:
        """The Event of this record is gone: the next happening makes a new one."""
        self._counts.pop(key, None)

    def _aggregate(self, happening: Happening, now: float) -> tuple[tuple[str, ...], str]:
        seen = self._similar.get(happening.similar)
        if seen is None or now - seen.last > SIMILAR_SECONDS:
            seen = self._similar[happening.similar] = _Similar()
        seen.last = now
        seen.messages.add(happening.message)
        _trim(self._similar, happening.similar)
        if len(seen.messages) < MAX_SIMILAR:
            return (*happening.similar, happening.message), happening.message
        seen.messages.pop()
        return happening.similar, COMBINED + happening.message

    def _listened_to(self, happening: Happening, now: float) -> bool:
        bucket = self._buckets.setdefault(happening.about, _Bucket(SPAM_BURST, now))
        _trim(self._buckets, happening.about)
        bucket.tokens = min(float(SPAM_BURST), bucket.tokens + (now - bucket.last) * SPAM_QPS)
        bucket.last = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _trim(cache: "OrderedDict[tuple[str, ...], Any]", key: tuple[str, ...]) -> None:
    """Mark a key as used and drop the one unused for longest, if there are too many."""
    cache.move_to_end(key)
    if len(cache) > CACHE_SIZE:
        cache.popitem(last=False)
