"""An asyncio event loop under virtual time: a simulated hour takes as long as the work done in it.

When nothing is ready, time jumps to the next timer. Nothing outside the process is reachable: sockets, subprocesses
and signals are refused with a sentence, threads are run inline. The seed decides which of several ready tasks goes
first; callbacks keep the order that asyncio promises. With the same seed and the same code a run repeats itself
(PYTHONHASHSEED matters to code that iterates over sets of strings). When every task waits for another and no timer is
left, `Deadlock` names them.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
MAX_STEPS = 1_000_000  # rounds of the loop in which time may stand still
COLLECT_EVERY = 20_000  # rounds between garbage collections, which finalize generators and so must be repeatable

_REFUSED = (
    *("add_reader", "remove_reader", "add_writer", "remove_writer", "add_signal_handler", "remove_signal_handler"),
    *("create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection"),
    *("create_unix_server", "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe"),
    *("subprocess_exec", "subprocess_shell", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendto", "sock_connect", "sock_accept", "sock_sendfile", "sendfile", "start_tls"),
    *("getaddrinfo", "getnameinfo"),
)


class Deadlock(Exception):
    """Every task waits and nothing will ever wake one."""


class Livelock(Exception):
    """Tasks keep waking each other and time does not pass."""


class RealIO(Exception):
    """Something outside the process was asked for under virtual time."""


class VirtualClock:
    """Wall-clock time of a simulation: it passes only when the loop has nothing to do."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.elapsed = 0.0  # seconds; `loop.time()`

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        return self.start + timedelta(seconds=self.elapsed)


class VirtualLoop(asyncio.BaseEventLoop):
    """The event loop; made by `run`."""

    _ready: "deque[asyncio.Handle]"
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        super().__init__()
        self.clock = clock
        self._random = random
        self._selector = self  # BaseEventLoop asks its selector how long to wait
        self._clock_resolution = 1e-6  # far above a float's precision after years
        self._steps = 0
        self._rounds = 0

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.clock.elapsed

    def select(self, timeout: float | None) -> list[Any]:
        """What happens between two rounds: order what is ready, or let time pass."""
        self._rounds += 1
        if self._rounds % COLLECT_EVERY == 0:
            gc.collect()
        if self._ready:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise Livelock(f"{MAX_STEPS} rounds without time passing at {self.clock.now()}")
            self._order()
        elif timeout is None:
            raise Deadlock(describe_waiting(self))
        elif self._scheduled:
            self._steps = 0
            self.clock.elapsed = max(self.clock.elapsed, self._scheduled[0].when())
        return []

    def _order(self) -> None:
        """Let the seed decide between ready tasks; callbacks stay where they are."""
        ready = self._ready
        if len(ready) < 2:
            return
        places = [i for i, handle in enumerate(ready) if is_task_step(handle)]
        handles = [ready[i] for i in places]
        self._random.shuffle(handles)
        for place, handle in zip(places, handles, strict=True):
            ready[place] = handle

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(  # type: ignore[override]  # the stubs say it with a variadic type
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run the function at once, in this thread."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refused(self: VirtualLoop, *args: Any, **named: Any) -> NoReturn:
        raise RealIO(f"loop.{name} reaches outside the process; under virtual time use what the environment gives")

    return refused


for _name in _REFUSED:
    setattr(VirtualLoop, _name, _refuse(_name))


def is_task_step(handle: asyncio.Handle) -> bool:
    """Whether a ready handle runs a task, rather than a plain callback."""
    return isinstance(getattr(handle._callback, "__self__", None), asyncio.Task)  # type: ignore[attr-defined]  # private


def describe_waiting(loop: asyncio.AbstractEventLoop) -> str:
    """A line for each task that waits: its name and the innermost line of its stack."""
    lines = []
    for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name()):
        frames = task.get_stack(limit=1)
        where = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "?"
        lines.append(f"  {task.get_name()} at {where}")
    return "\n".join([f"{len(lines)} tasks wait and nothing will wake them:", *lines])


def run(main: Callable[[VirtualClock, Random], Coroutine[Any, Any, T]], *, seed: int, start: datetime = START) -> T:
    """Run `main(clock, random)` to its end under virtual time and return its result."""
    clock = VirtualClock(start)
    order, given = Random(f"{seed}/order"), Random(f"{seed}/given")
    collecting = gc.isenabled()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, order)) as runner:
            return runner.run(main(clock, given))
    finally:
        if collecting:
            gc.enable()
