"""Seats and queues: fairness between flows, width, hand and length limits, and what Hypothesis makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kybern.apiserver.core.flowcontrol.limits import Queuing
from kybern.apiserver.core.flowcontrol.queue_set import Item, QueueSet, Rejection
from kybern.apiserver.core.flowcontrol.shuffle import deal

ONE_EACH = Queuing(queues=8, hand=1, length=1000)


def enqueue(level: QueueSet, now: float, flow: int, width: int = 1) -> Item:
    item = level.enqueue(now, width, flow)
    assert isinstance(item, Item)
    return item


def test_seats_are_taken_while_they_last() -> None:
    level = QueueSet(None, 2)
    assert [level.take(1), level.take(1), level.take(1)] == [True, True, False]
    assert level.enqueue(0, 1, 0) is Rejection.CONCURRENCY_LIMIT
    level.give(1)
    assert level.take(1)


def test_nobody_overtakes_those_who_wait() -> None:
    level = QueueSet(ONE_EACH, 2)
    assert level.take(2)
    item = enqueue(level, 0, 1, width=2)
    level.give(1)
    assert level.dispatch(1) == []
    assert not level.take(1)
    level.give(1)
    assert level.dispatch(2) == [item]


def test_a_level_without_seats_serves_nobody() -> None:
    level = QueueSet(ONE_EACH, 0)
    assert not level.take(1)
    enqueue(level, 0, 1)
    assert level.dispatch(1) == []


def test_a_request_wider_than_the_level_runs_alone() -> None:
    level = QueueSet(ONE_EACH, 2)
    assert level.take(5)
    assert not level.take(1)


def test_a_full_queue_refuses() -> None:
    level = QueueSet(Queuing(queues=4, hand=2, length=3), 0)
    outcomes = [level.enqueue(0, 1, 77) for _ in range(7)]
    assert [isinstance(outcome, Item) for outcome in outcomes] == [True] * 6 + [False]
    assert outcomes[-1] is Rejection.QUEUE_FULL


def test_a_mouse_does_not_wait_for_the_elephant() -> None:
    """A flow with a thousand requests and one that sends a few share the seats evenly."""
    level = QueueSet(ONE_EACH, 1)
    assert level.take(1)
    elephant = [enqueue(level, 0, 0) for _ in range(500)]
    mouse = [enqueue(level, 0, 1) for _ in range(5)]
    level.give(1)
    order, now = [], 0.0
    while len(order) < 20:
        (item,) = level.dispatch(now)
        order.append(item)
        now += 0.01
        level.finish(now, item)
    assert set(mouse) <= set(order[:11])
    assert elephant[0] in order[:2]


def test_long_requests_are_charged_for_what_they_took() -> None:
    """Two flows that both always wait: the one whose requests take ten times as long gets a tenth of the turns."""
    level = QueueSet(ONE_EACH, 1)
    assert level.take(1)
    slow = {enqueue(level, 0, 0) for _ in range(300)}
    quick = {enqueue(level, 0, 1) for _ in range(300)}
    level.give(1)
    now, turns = 0.0, {"slow": 0, "quick": 0}
    for _ in range(110):
        (item,) = level.dispatch(now)
        turns["slow" if item in slow else "quick"] += 1
        now += 0.1 if item in slow else 0.01
        level.finish(now, item)
    assert quick
    assert 8 <= turns["slow"] <= 13


def test_an_idle_flow_saves_nothing_up() -> None:
    level = QueueSet(ONE_EACH, 1)
    assert level.take(1)
    busy = [enqueue(level, 0, 0) for _ in range(100)]
    level.give(1)
    now = 0.0
    for _ in range(50):
        (item,) = level.dispatch(now)
        now += 0.01
        level.finish(now, item)
    late = [enqueue(level, now, 1) for _ in range(50)]
    order = []
    for _ in range(20):
        (item,) = level.dispatch(now)
        order.append(item)
        now += 0.01
        level.finish(now, item)
    assert 8 <= len([item for item in order if item in busy]) <= 12
    assert late[0] in order


def test_who_gives_up_leaves_room() -> None:
    level = QueueSet(Queuing(queues=1, hand=1, length=1), 0)
    item = enqueue(level, 0, 1)
    assert level.withdraw(1, item)
    assert not level.withdraw(1, item)
    assert level.waiting == level.waiting_seats == 0
    enqueue(level, 1, 1)


def test_queues_of_the_old_shape_are_emptied() -> None:
    level = QueueSet(Queuing(queues=2, hand=1, length=10), 0)
    before = [enqueue(level, 0, flow) for flow in range(6)]
    level.configure(Queuing(queues=3, hand=1, length=10))
    after = [enqueue(level, 1, flow) for flow in range(6)]
    level.limit = 100
    assert set(level.dispatch(2)) == {*before, *after}


@given(st.integers(0, 2**64 - 1), st.integers(1, 128), st.integers(1, 8))
def test_a_hand_has_no_card_twice(entropy: int, deck: int, hand: int) -> None:
    hand = min(hand, deck)
    cards = deal(entropy, deck, hand)
    assert len(set(cards)) == hand
    assert all(0 <= card < deck for card in cards)


def test_hands_are_dealt_evenly() -> None:
    counts = [0] * 6
    for entropy in range(6 * 5 * 4 * 10):
        for card in deal(entropy, 6, 3):
            counts[card] += 1
    assert len(set(counts)) == 1


@pytest.mark.parametrize("queuing", [None, Queuing(4, 2, 3)])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["come", "end", "leave"]), st.integers(1, 3), st.integers(0, 5)), max_size=60
    ),
    limit=st.integers(0, 5),
)
def test_seats_and_queues_always_add_up(queuing: Queuing | None, steps: list, limit: int) -> None:
    """Whatever comes and goes: no seat is lost, nothing is left waiting beside a free seat it fits in."""
    level = QueueSet(queuing, limit)
    direct: list[int] = []
    waiting: list[Item] = []
    running: list[Item] = []
    for now, (step, width, which) in enumerate(steps):
        if step == "come":
            if level.take(width):
                direct.append(width)
            else:
                found = level.enqueue(now, width, which)
                if isinstance(found, Item):
                    waiting.append(found)
        elif step == "end" and direct:
            level.give(direct.pop())
        elif step == "end" and running:
            level.finish(now, running.pop(which % len(running)))
        elif step == "leave" and waiting:
            assert level.withdraw(now, waiting.pop(which % len(waiting)))
        for item in level.dispatch(now):
            waiting.remove(item)
            running.append(item)
        assert level.in_use == sum(direct) + sum(item.width for item in running)
        assert level.waiting == len(waiting)
        assert level.waiting_seats == sum(item.width for item in waiting)
        if waiting and limit:
            assert level.in_use + max(item.width for item in waiting) > limit
