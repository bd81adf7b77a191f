"""Back-off per key as the kubelet does it: 10 s doubling to 5 min, forgotten after twice the longest."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass
class Backoff:
    """Delays by key. Time is always an argument."""

    first: float = 10.0
    longest: float = 300.0
    entries: dict[str, tuple[float, datetime]] = field(default_factory=dict)  # key → (delay, since)

    def expired(self, key: str, event: datetime) -> bool:
        """Whether nothing went wrong with the key for so long that it starts anew."""
        entry = self.entries.get(key)
        return entry is None or (event - entry[1]).total_seconds() > 2 * self.longest

    def remaining(self, key: str, event: datetime, now: datetime) -> float:
        """Seconds still to wait after an event (the container's end) at this time."""
        if self.expired(key, event):
            return 0.0
        return max(0.0, self.entries[key][0] - (now - event).total_seconds())

    def delay(self, key: str) -> float:
        """The current delay in seconds; 0 when there is none."""
        return self.entries[key][0] if key in self.entries else 0.0

    def next(self, key: str, event: datetime, now: datetime) -> None:
        """The key is tried (again) now: lengthen its delay."""
        delay = self.first if self.expired(key, event) else min(self.entries[key][0] * 2, self.longest)
        self.entries[key] = (delay, now)

    def forget(self, prefix: str) -> None:
        """Drop the keys that begin so (a pod's uid)."""
        for key in [key for key in self.entries if key.startswith(prefix)]:
            del self.entries[key]


def text(seconds: float) -> str:
    """A delay as Go prints it: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(int(timedelta(seconds=seconds).total_seconds()), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
