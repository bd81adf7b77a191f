"""How many writes a second begin a trace: people's always do, and a flood of them costs no more than the budget."""


class Budget:
    """A token bucket: `burst` traces at once, `rate` a second after that."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Whether one more may begin at `now` (seconds); then it has begun."""
        if not self.has(now):
            return False
        self._left -= 1
        return True

    def has(self, now: float) -> bool:
        """Whether one more may begin."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left >= 1
