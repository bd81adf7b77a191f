"""What a process spends its time on: stacks of its threads, a hundred times a second, by CPU time since the last look.

A thread that waits uses no CPU time, so what is seen is work. A look costs some 20 µs; nobody looks unasked.
"""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from types import FrameType
from urllib.parse import parse_qs

import orjson

HERTZ = 100
DEFAULT, LONGEST = 30, 50  # seconds
DEEPEST = 128  # frames
Frame = tuple[str, str, int]  # function, file, line
Stacks = dict[tuple[Frame, ...], int]  # innermost first → nanoseconds of CPU time


def seconds_in(query: str) -> int:
    """The length of a profile that a query asks for: what is no number, or none, is the usual one, as in Go."""
    text = parse_qs(query).get("seconds", [""])[0]
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return min(seconds, LONGEST) if seconds > 0 else DEFAULT


async def sampled(seconds: float) -> Stacks:
    """Look at all threads for so long."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(sample, seconds, stop)
    finally:
        stop.set()


def sample(seconds: float, stop: threading.Event) -> Stacks:
    """Look at all threads but this one for so long, or until it shall stop; blocks."""
    found: Counter[tuple[Frame, ...]] = Counter()
    used = {ident: _used(ident) for ident in sys._current_frames()}
    own = threading.get_ident()
    for _ in range(int(seconds * HERTZ)):
        if stop.wait(1 / HERTZ):
            break
        for ident, frame in sys._current_frames().items():
            if ident == own:
                continue
            now = _used(ident)
            spent = now - used.get(ident, now)
            used[ident] = now
            if spent > 0:
                found[stack_of(frame)] += spent
    return found


def _used(ident: int) -> int:
    """CPU time of a thread in nanoseconds; 0 for one that has just ended."""
    try:
        return time.clock_gettime_ns(time.pthread_getcpuclockid(ident))
    except OSError:
        return 0


def stack_of(frame: FrameType | None) -> tuple[Frame, ...]:
    """The calls that led to a frame, the innermost first."""
    found: list[Frame] = []
    while frame is not None and len(found) < DEEPEST:
        code = frame.f_code
        found.append((code.co_qualname, code.co_filename, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(found)


def encode(stacks: Stacks) -> bytes:
    """For another process."""
    return orjson.dumps([[list(stack), spent] for stack, spent in stacks.items()])


def decode(data: bytes) -> Stacks:
    """What `encode` has written."""
    return {tuple((name, file, line) for name, file, line in stack): spent for stack, spent in orjson.loads(data)}


def describe(process: str, tasks: Iterable["asyncio.Task[object]"]) -> str:
    """Where each task of a process waits, and what its threads do; like what waits at the same place is counted."""
    waiting: Counter[str] = Counter()
    for task in tasks:
        frames = task.get_stack()
        waiting["".join(traceback.format_list(traceback.StackSummary.extract((f, f.f_lineno) for f in frames)))] += 1
    lines = [f"{process} (pid {os.getpid()}): {waiting.total()} tasks\n"]
    lines += [f"\n{count} @\n{where}" for where, count in waiting.most_common()]
    frames_of = sys._current_frames()
    for thread in threading.enumerate():
        if thread.ident in frames_of:
            lines.append(f"\nthread {thread.name}\n{''.join(traceback.format_stack(frames_of[thread.ident]))}")
    return "".join(lines)
