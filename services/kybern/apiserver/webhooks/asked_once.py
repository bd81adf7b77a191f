"""Answers of somebody else, remembered for a while: a question without one makes its call wait, and is asked once.

A call keeps what it has waited for until its end, for however short a time the answer holds for others.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from kybern.apiserver.waiting import MustWait

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Known(Generic[Answer]):
    """What is remembered of a question; times are the event loop's."""

    answer: Answer
    came: float
    until: float


class AskedOnce(Generic[Question, Answer]):
    """`ask` gives the answer and for how many seconds it holds; it raises nothing. `limit` answers are remembered."""

    def __init__(self, ask: Callable[[Question], Awaitable[tuple[Answer, float]]], limit: int) -> None:
        self._ask, self._limit = ask, limit
        self._known: OrderedDict[Question, Known[Answer]] = OrderedDict()
        self._asking: dict[Question, asyncio.Lock] = {}
        self._waited: WeakKeyDictionary[asyncio.Task[Any], dict[Question, Answer]] = WeakKeyDictionary()

    def answer(self, question: Question) -> Answer:
        """From memory. Raises MustWait."""
        known = self._known.get(question)
        if known is not None and known.until > asyncio.get_running_loop().time():
            return known.answer
        task = asyncio.current_task()
        waited = self._waited.get(task) if task is not None else None
        if waited is None or question not in waited:
            raise MustWait(lambda: self._learn(question))
        return waited[question]

    async def _learn(self, question: Question) -> None:
        """Ask once, however many wait for it."""
        lock = self._asking.setdefault(question, asyncio.Lock())
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with lock:
            known = self._known.get(question)
            if known is None or (known.until <= loop.time() and known.came < began):
                try:
                    found, seconds = await self._ask(question)
                finally:
                    self._asking.pop(question, None)
                known = self._known[question] = Known(found, loop.time(), loop.time() + seconds)
                self._known.move_to_end(question)
                if len(self._known) > self._limit:
                    self._known.popitem(last=False)
        task = asyncio.current_task()
        if task is not None:
            self._waited.setdefault(task, {})[question] = known.answer
