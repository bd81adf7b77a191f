"""Waiting in tests for what a cluster does in its own time."""

import time
import urllib.request
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PAUSE = 0.1  # seconds between looks
TRANSIENT = (AssertionError, OSError)


def until(look: Callable[[], T], seconds: float = 20) -> T:
    """The first true answer; an AssertionError or OSError is a no. The last no is the failure."""
    end = time.monotonic() + seconds
    while True:
        last: object = None
        try:
            answer = look()
            if answer:
                return answer
            last = answer
        except TRANSIENT as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s; at last: {last}")
        time.sleep(PAUSE)


def fetch(url: str, seconds: float = 2) -> str:
    """The body of a page. Raises OSError."""
    with urllib.request.urlopen(url, timeout=seconds) as response:
        return str(response.read().decode()).strip()
