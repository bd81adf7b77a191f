"""Answers of somebody else, remembered for a while: a question without one makes its call wait, and is asked once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from kybern.apiserver.waiting import MustWait

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class AskedOnce(Generic[Question, Answer]):
    """`ask` gives the answer and for how many seconds it holds; it raises nothing. `limit` answers are remembered."""

    def __init__(self, ask: Callable[[Question], Awaitable[tuple[Answer, float]]], limit: int) -> None:
        self._ask, self._limit = ask, limit
        self._known: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()
        self._asking: dict[Question, asyncio.Lock] = {}

    def answer(self, question: Question) -> Answer:
        """From memory. Raises MustWait."""
        known = self._known.get(question)
        if known is None or known[0] <= asyncio.get_running_loop().time():
            raise MustWait(lambda: self._learn(question))
        return known[1]

    async def _learn(self, question: Question) -> None:
        """Ask once, however many wait for it."""
        lock = self._asking.setdefault(question, asyncio.Lock())
        loop = asyncio.get_running_loop()
        async with lock:
            known = self._known.get(question)
            if known is not None and known[0] > loop.time():
                return
            try:
                found, seconds = await self._ask(question)
                self._known[question] = (loop.time() + seconds, found)
                if len(self._known) > self._limit:
                    self._known.popitem(last=False)
            finally:
                self._asking.pop(question, None)
