"""What a person sees while something takes longer than a moment: one line a step, with the time it took."""

import sys
import time
from typing import TextIO


def started_seconds_ago() -> float:
    """How long this process has been running, its interpreter's start included."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
        return max(0.0, float(uptime.read().split()[0]) - ticks / 100)


class Progress:
    """Prints steps as they end; on a terminal also what is waited for."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._began = time.monotonic() - started_seconds_ago()
        self._live = out.isatty()

    @property
    def elapsed(self) -> float:
        """Seconds since the command was typed."""
        return time.monotonic() - self._began

    def step(self, text: str) -> None:
        """Something is done."""
        self._clear()
        print(f"  {self.elapsed:6.2f} s  {text}", file=self._out, flush=True)

    def waiting(self, text: str) -> None:
        """Something is under way (shown on a terminal only)."""
        if self._live:
            self._clear()
            print(f"  {self.elapsed:6.2f} s  … {text}"[:100], end="", file=self._out, flush=True)

    def say(self, text: str) -> None:
        """A line without a time."""
        self._clear()
        print(text, file=self._out, flush=True)

    def _clear(self) -> None:
        if self._live:
            print("\r\033[K", end="", file=self._out)
