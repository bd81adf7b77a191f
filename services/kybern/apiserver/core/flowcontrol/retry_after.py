"""Retry-After of a level's refusals: the longer it is overloaded, the longer clients stay away.

The time doubles when its length has brought three refusals a second, at most once within itself, and becomes a second
shorter when it has brought fewer than one a second. It is judged at the first refusal of each second, by those before.
"""

from collections import deque

LONGEST = 32  # seconds


class Refusals:
    """Of one priority level. Seconds are given, and do not go back."""

    def __init__(self) -> None:
        self.retry_after = 1
        self._before: deque[tuple[int, int]] = deque()  # second, how many in it
        self._second, self._count = 0, 0
        self._raised = 0  # when the time was doubled

    def record(self, second: int) -> int:
        """One more refusal; after how many seconds its client may try again."""
        if second == self._second:
            self._count += 1
            return self.retry_after
        self._before.append((self._second, self._count))
        while self._before[0][0] < second - LONGEST and len(self._before) > 1:
            self._before.popleft()
        self._second, self._count = second, 1
        self._judge(second)
        return self.retry_after

    def _judge(self, second: int) -> None:
        wait = self.retry_after
        lately = sum(count for at, count in self._before if second - wait <= at < second)
        if second - self._raised >= wait and lately >= 3 * wait:
            self.retry_after, self._raised = min(2 * wait, LONGEST), second
        elif lately < wait and wait > 1:
            self.retry_after = wait - 1
