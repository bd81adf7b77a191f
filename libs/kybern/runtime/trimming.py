"""Give memory back after a burst: what is freed in the middle of the heap stays with a process until it says otherwise.

Large answers leave tens of megabytes behind that no later request may need. It is given back once the burst is over:
while requests keep coming, the same pages would be asked for again at once. Threads share one heap: of one of their
own the end is never given back, and what they free there the others cannot use.
"""

import asyncio
import ctypes
import time

M_ARENA_MAX = -8  # of mallopt(3)
LOOK_SECONDS = 0.25
BUSY, QUIET = 0.25, 0.1  # of a core
AGAIN = 10  # the quiet look at which it is done once more: clients have closed their connections meanwhile


class Bursts:
    """Tells when a burst is over, from looks at the CPU time of the process every LOOK_SECONDS."""

    def __init__(self, cpu_seconds: float) -> None:
        self._last = cpu_seconds
        self._busy = False
        self._quiet = 0  # looks since it was busy

    def over(self, cpu_seconds: float) -> bool:
        """Whether this look is the first quiet one after a busy one, or the one some seconds later."""
        used, self._last = cpu_seconds - self._last, cpu_seconds
        if used > BUSY * LOOK_SECONDS:
            self._busy, self._quiet = True, 0
        elif self._busy and used < QUIET * LOOK_SECONDS:
            self._quiet += 1
            self._busy = self._quiet < AGAIN
            return self._quiet in (1, AGAIN)
        return False


def share_heap() -> None:
    """Let all threads that are started from here on allocate in one heap, where the C library has several."""
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, 1)


async def give_back() -> None:
    """Do so for the life of the process; where the C library knows no way, nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:
        return
    bursts = Bursts(time.process_time())
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if bursts.over(time.process_time()):
            trim(0)  # some milliseconds, in which nobody waits
