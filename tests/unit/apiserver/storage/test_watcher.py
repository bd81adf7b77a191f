"""Watchers of one selection against a dumb model: whoever joins or leaves, each is told everything once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.storage import watcher as watchers
from kybern.apiserver.storage.cacher import Cacher
from kybern.apiserver.storage.selection import Selection
from kybern.apiserver.storage.watcher import Watcher
from kybern.clock.virtual import run
from kybern.protos.api.v1.objects_pb2 import WatchEvent, WatchResponse
from kybern.store.contract import Event, EventKind, KeyValue

PREFIX = "/registry/configmaps/"
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 4)),
        st.tuples(st.just("tell"), st.just(0)),  # as before a bookmark
        st.tuples(st.just("sleep"), st.integers(0, 15)),  # milliseconds
        st.tuples(st.just("join"), st.integers(0, 5)),  # revisions ago
        st.tuples(st.just("leave"), st.integers(0, 40)),
        st.tuples(st.just("hold"), st.integers(0, 40)),
        st.tuples(st.just("let go"), st.integers(0, 40)),
    ),
    max_size=40,
)


class Scene:
    """A cache, and members that note the revisions they are told."""

    def __init__(self) -> None:
        self.cacher = Cacher("", "configmaps", "ConfigMap", "v1", True, PREFIX)
        self.cacher.loaded(0)
        self.revision = 0
        self.members: list[Member] = []

    def write(self) -> None:
        self.revision += 1
        name = f"a{self.revision}"
        obj = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": "n"}}
        kv = KeyValue(f"{PREFIX}n/{name}", orjson.dumps(obj), self.revision, self.revision, 1)
        self.cacher.apply(Event(EventKind.PUT, kv), None, "")

    def join(self, since: int, direct: bool) -> "Member":
        member = Member(self.cacher.watch(Selection(), since), since, direct)
        self.members.append(member)
        return member


class Member:
    def __init__(self, watcher: Watcher, since: int, direct: bool) -> None:
        self.watcher, self.since = watcher, since
        self.seen: list[int] = []
        self.batches: list[Any] = []  # those that came directly
        self.times: list[float] = []
        self.held = self.left = False
        if direct:
            watcher.direct = self.take
        self.task = asyncio.create_task(self.follow())

    def note(self, events: list[WatchEvent]) -> None:
        self.seen += [int(orjson.loads(event.object)["metadata"]["resourceVersion"]) for event in events]
        self.times += [asyncio.get_running_loop().time()] * len(events)

    def take(self, responses: list[WatchResponse]) -> bool:
        if self.held:
            return False
        for response in responses:
            self.batches.append(response)
            self.note(list(response.events))
        return True

    async def follow(self) -> None:
        while not self.watcher.cut_off:
            events = await self.watcher.wait(None)
            if self.held:
                await asyncio.sleep(0.01)  # as one that waits for room
            self.note(events)

    def leave(self) -> None:
        self.left = True
        self.watcher.stop()
        self.task.cancel()


def play(scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        await scene(one := Scene())
        for member in one.members:
            member.leave()
        await asyncio.sleep(0.1)

    run(lambda clock, random: whole(), seed=0)


@given(ACTIONS)
def test_everybody_is_told_everything_once_and_in_order(actions: list[tuple[str, int]]) -> None:
    async def scene(one: Scene) -> None:
        for index in range(watchers.CROWD + 4):
            one.join(0, direct=index % 4 != 0)
        for action, number in actions:
            members = [member for member in one.members if not member.left]
            if action == "write":
                for _ in range(number):
                    one.write()
            elif action == "sleep":
                await asyncio.sleep(number / 1000)
            elif action == "join":
                one.join(max(0, one.revision - number), direct=number % 2 == 0)
            elif members:
                member = members[number % len(members)]
                if action == "tell":
                    member.watcher.audience.tell()
                elif action == "leave":
                    member.leave()
                else:
                    member.held = action == "hold"
        await asyncio.sleep(0.1)
        for member in one.members:
            every = list(range(member.since + 1, one.revision + 1))
            assert member.seen == (every[: len(member.seen)] if member.left else every)

    play(scene)


def test_a_crowd_hears_the_first_at_once_and_the_rest_together() -> None:
    async def scene(one: Scene) -> None:
        members = [one.join(0, direct=True) for _ in range(100)]
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0.1)
        began = loop.time()
        for _ in range(5):
            one.write()
        assert {tuple(member.seen) for member in members} == {(1,)}
        await asyncio.sleep(100 * watchers.PAUSE + 0.001)
        assert {tuple(member.seen) for member in members} == {(1, 2, 3, 4, 5)}
        assert members[0].times[-1] - began == pytest.approx(100 * watchers.PAUSE)
        assert {id(member.batches[-1]) for member in members} == {id(members[0].batches[-1])}, "one message for all"

    play(scene)


def test_a_few_hear_each_event_at_once() -> None:
    async def scene(one: Scene) -> None:
        members = [one.join(0, direct=True) for _ in range(3)]
        await asyncio.sleep(0.001)
        for number in range(5):
            one.write()
            assert {len(member.seen) for member in members} == {number + 1}

    play(scene)


def test_who_takes_what_was_queued_is_told_nothing_before_it() -> None:
    async def scene(one: Scene) -> None:
        member = one.join(0, direct=True)
        member.held = True
        await asyncio.sleep(0.001)
        one.write()
        one.write()
        await asyncio.sleep(0.001)  # it has taken both, and waits for room
        member.held = False
        one.write()
        await asyncio.sleep(0.1)
        one.write()
        assert (member.seen, len(member.batches)) == ([1, 2, 3, 4], 1)
        member.held = True
        one.write()
        member.held = False  # woken, but it has not had its turn
        one.write()
        await asyncio.sleep(0.1)
        assert member.seen == [1, 2, 3, 4, 5, 6]

    play(scene)


def test_who_falls_behind_is_cut_off_alone() -> None:
    async def scene(one: Scene) -> None:
        members = [one.join(0, direct=True) for _ in range(watchers.CROWD)]
        slow = members[0]
        slow.watcher.limit, slow.held = 3, True
        await asyncio.sleep(0.1)
        slow.task.cancel()
        for _ in range(10):
            one.write()
        await asyncio.sleep(0.1)
        assert slow.watcher.cut_off
        assert slow.seen == []
        assert all(member.seen == list(range(1, 11)) for member in members[1:])

    play(scene)


def test_a_few_hear_a_flood_in_batches() -> None:
    async def scene(one: Scene) -> None:
        member = one.join(0, direct=True)
        loop = asyncio.get_running_loop()
        for _ in range(200):  # a thousand a second
            one.write()
            await asyncio.sleep(0.001)
        messages = len(member.batches)
        began = loop.time()
        for _ in range(100):
            one.write()
            await asyncio.sleep(0.001)
        assert len(member.batches) - messages == pytest.approx((loop.time() - began) / watchers.FLOOD_PAUSE, abs=2)
        await asyncio.sleep(0.1)
        assert member.seen == list(range(1, 301))
        for _ in range(8):  # it is over: the first of them after a while is heard at once, and soon all are
            one.write()
            assert member.seen[-1] == one.revision
            await asyncio.sleep(0.02)

    play(scene)
