"""The scheduling loop: takes runs of equal pods from the queue, decides, and hands the decisions to the binder.

One task decides, and never waits while it does; binds and status writes are tasks of their own, so that their requests
travel together in few messages. At most `UNDER_WAY` of them are under way.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from kybern.client.events import EventRecorder
from kybern.client.objects import Client
from kybern.runtime.service import Env
from kybern.scheduler.binder import Binder
from kybern.scheduler.core.cache import Cache
from kybern.scheduler.core.cycle import Cycle, Placed, Unplaced
from kybern.scheduler.core.framework import Event
from kybern.scheduler.core.pod import Facts, FactsOf, Pod
from kybern.scheduler.core.preemption import Budget, Refused, Victims, decide_preemption
from kybern.scheduler.core.queue import Queue, QueuedPod
from kybern.scheduler.core.snapshot import Snapshot
from kybern.scheduler.metrics import Metrics
from kybern.scheduler.plugins.scheduling_gates import gated
from kybern.scheduler.registry import default_profile, hints
from kybern.scheduler.tracing import pod_attributes

RUN = 64  # pods decided without letting others work
UNDER_WAY = 1024
FLUSH_SECONDS = 30.0
REMEMBERED = 2048  # outcomes kept for Explain


class Loop:
    """The scheduler for one scheduler name."""

    def __init__(self, client: Client, env: Env, recorder: EventRecorder, name: str) -> None:
        profile = default_profile()
        self.name = name
        self.facts_of = FactsOf()
        self.cache = Cache(Snapshot())
        self.queue = Queue(hints(profile), gated)
        self.budgets: dict[str, Budget] = {}
        self._profile, self._random = profile, env.random
        self._nominated: dict[str, tuple[Pod, str]] = {}  # pods that wait for victims to leave, and the node
        self.cycle = Cycle(profile, self.cache.nodes, env.random)
        self.outcomes: OrderedDict[str, Placed | Unplaced] = OrderedDict()  # by namespace/name
        self.metrics = Metrics(env.telemetry.registry, name, self.queue, self.cache)
        self._clock, self._telemetry = env.clock, env.telemetry
        self._binder = Binder(client, env, recorder, self)
        self._wake = asyncio.Event()
        self._refused: tuple[Facts | None, Refused | None, tuple[int, int]] = (None, None, (0, 0))

    # What the watch says

    def move(self, event: Event, about: object) -> None:
        """Something happened that may help pods that wait."""
        if self.queue.move(event, about, self._now(), self._clock.now()):
            self._wake.set()

    def enqueue(self, pod: Pod, traceparent: str) -> None:
        """A pod of ours has no node."""
        if pod.nominated:
            self._nominated[pod.uid] = (pod, pod.nominated)
        self.queue.put(pod, self._now(), self._clock.now(), traceparent)
        self._wake.set()

    def ignore(self, uid: str) -> None:
        """A pod without a node is none of ours any more, or is being deleted."""
        self.queue.remove(uid)
        self._nominated.pop(uid, None)

    def confirm(self, pod: Pod) -> None:
        """A pod is bound, by us or by somebody else."""
        self.ignore(pod.uid)
        for event in self.cache.set_pod(pod):
            self.move(event, pod.facts)

    def drop(self, uid: str) -> None:
        """A pod is gone, or has ended."""
        self.ignore(uid)
        pod = self.cache.remove_pod(uid)
        if pod is not None:
            self.move(Event.POD_DELETE, pod.facts)

    # What the binder says

    def bound(self, queued: QueuedPod, node: str) -> None:
        """A bind was accepted; the cache counts the pod already."""
        self.queue.remove(queued.pod.uid)
        self.metrics.scheduled(queued, self._now())

    def unbound(self, queued: QueuedPod, message: str, *, gone: bool = False) -> None:
        """A bind was refused: what was assumed did not happen."""
        self.cache.forget(queued.pod.uid)
        self.metrics.attempts.labels("error", self.name).inc()
        if gone:
            self.queue.remove(queued.pod.uid)
        else:
            self.queue.failed(queued, message, self._now(), self._clock.now())
        self.move(Event.POD_DELETE, queued.pod.facts)
        self._wake.set()

    # Deciding

    async def run(self) -> None:
        """Schedule until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._flush())
            while True:
                run = self.queue.pop_run(self._now(), RUN)
                if run:
                    self._schedule(run, tasks)
                    await self._binder.room(UNDER_WAY)
                else:
                    await self._wait()

    def _schedule(self, run: list[QueuedPod], tasks: asyncio.TaskGroup) -> None:
        while run:
            started = self._now()
            outcomes = self._decide(run)
            seconds = (self._now() - started) / len(outcomes)
            for queued, outcome in zip(run, outcomes, strict=False):
                self._remember(queued.pod.key, outcome)
                if isinstance(outcome, Placed):
                    self.cache.assume(queued.pod, outcome.node)
                    self.metrics.decided("scheduled", seconds)
                    self._binder.start(tasks, self._binder.bind(queued, outcome.node))
                else:
                    self._turned_down(queued, outcome, tasks)
                    self.metrics.decided("unschedulable", seconds)
            run = run[len(outcomes) :]

    def _turned_down(self, queued: QueuedPod, outcome: Unplaced, tasks: asyncio.TaskGroup) -> None:
        """See whether preemption helps; wait in any case."""
        pod, message, nominated = queued.pod, outcome.message, ""
        if outcome.nodes:
            preemption = self._preempt(pod, outcome)
            if isinstance(preemption, Victims):
                nominated = preemption.node
                self.metrics.preemptions.inc()
                self.metrics.victims.observe(len(preemption.pods))
                self._binder.start(tasks, self._binder.preempt(queued, preemption))
            else:
                message = f"{message} {preemption.message}"
                nominated = pod.nominated if preemption.waits else ""
        if nominated:
            self._nominated[pod.uid] = (pod, nominated)
        else:
            self._nominated.pop(pod.uid, None)
        self.queue.turned_down(queued, outcome.plugins, message, self._now())
        self._binder.start(tasks, self._binder.report(queued, message, nominated))

    def _preempt(self, pod: Pod, outcome: Unplaced) -> Victims | Refused:
        """Where to make room; what was refused to an equal pod since the last change is refused again."""
        nodes = self.cache.nodes
        facts, refused, seen = self._refused
        if refused is not None and facts is pod.facts and seen == nodes.version and not pod.nominated:
            return refused
        budgets = list(self.budgets.values())
        with self._with_nominated(pod):
            found = decide_preemption(pod, outcome, self.cache, self._profile, budgets, self._random)
        self._refused = (pod.facts, found if isinstance(found, Refused) else None, nodes.version)
        return found

    @contextmanager
    def _with_nominated(self, pod: Pod) -> Iterator[None]:
        """Count the pods of no lower priority that wait for their nominated nodes, as if they were there."""
        others = [
            (other.facts, node)
            for other, node in self._nominated.values()
            if other.uid != pod.uid and other.priority >= pod.priority and node in self.cache.nodes.slots
        ]
        for facts, node in others:
            self.cache.nodes.add_pod(facts, node)
        try:
            yield
        finally:
            for facts, node in others:
                self.cache.nodes.remove_pod(facts, node)

    def _decide(self, run: list[QueuedPod]) -> Sequence[Placed | Unplaced]:
        """What becomes of the first pod of a run, or of several at once."""
        if not self._nominated:
            return self._cycle(run)
        with self._with_nominated(run[0].pod):
            return self._cycle(run[:1])

    def _cycle(self, run: list[QueuedPod]) -> Sequence[Placed | Unplaced]:
        """One scheduling cycle, and its phases as spans of the pods' traces."""
        pod, begun = run[0].pod, self._clock.now()
        evaluation = self.cycle.evaluation(pod.facts)
        feasible = evaluation.filter().any()
        filtered = self._clock.now()
        if not feasible:
            self._trace(run[0], begun, filtered)
            return [self.cycle.diagnose(evaluation, pod.facts)]
        placed = self.cycle.select(evaluation, len(run), pod.nominated)
        scored = self._clock.now()
        for queued in run[: len(placed)]:
            self._trace(queued, begun, filtered, scored)
        return placed

    def _trace(self, queued: QueuedPod, begun: datetime, filtered: datetime, scored: datetime | None = None) -> None:
        parent = queued.traceparent
        if parent:
            attributes, start = pod_attributes(queued.pod), self._telemetry.start_span
            start("queue", parent, attributes=attributes, start=queued.queued_at).end(begun)
            start("filter", parent, attributes=attributes, start=begun).end(filtered)
            if scored is not None:
                start("score", parent, attributes=attributes, start=filtered).end(scored)

    def _remember(self, key: str, outcome: Placed | Unplaced) -> None:
        self.outcomes.pop(key, None)
        self.outcomes[key] = outcome
        if len(self.outcomes) > REMEMBERED:
            self.outcomes.popitem(last=False)

    async def _wait(self) -> None:
        """Until a pod comes, or the next backoff is over."""
        due = self.queue.next_backoff()
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else max(due - self._now(), 0.0)):
                await self._wake.wait()
        self._wake.clear()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self.queue.flush(self._now(), self._clock.now())
            self._wake.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
