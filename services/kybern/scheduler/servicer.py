"""The Scheduler contract: what waits, and why a pod went where it went or still waits."""

from typing import Any

import grpc

from kybern.protos.scheduler.v1 import scheduler_pb2 as pb
from kybern.protos.scheduler.v1 import scheduler_pb2_grpc
from kybern.scheduler.core.cycle import Placed, Unplaced
from kybern.scheduler.core.queue import Place, QueuedPod
from kybern.scheduler.loop import Loop


class SchedulerServicer(scheduler_pb2_grpc.SchedulerServicer):
    """Reads the loop's state."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    async def GetQueue(self, request: pb.GetQueueRequest, context: Any) -> pb.GetQueueResponse:
        """Pods that wait, oldest first; gated ones are listed as unschedulable."""
        response = pb.GetQueueResponse()
        lists = {
            Place.ACTIVE: response.active,
            Place.BACKOFF: response.backoff,
            Place.UNSCHEDULABLE: response.unschedulable,
            Place.GATED: response.unschedulable,
        }
        for queued in sorted(self._loop.queue, key=lambda queued: queued.added):
            if queued.place in lists:
                lists[queued.place].append(_queued(queued))
        return response

    async def Explain(self, request: pb.ExplainRequest, context: Any) -> pb.ExplainResponse:
        """The newest decision about the pod. NOT_FOUND when none was made lately."""
        key = f"{request.namespace}/{request.name}"
        outcome = self._loop.outcomes.get(key)
        if outcome is not None:
            return explain(key, outcome, self._message(key))
        waiting = self._waiting(key)
        if waiting is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no decision about pod {key} is remembered")
            raise AssertionError("abort raises")
        return pb.ExplainResponse(message=waiting.message or "waiting in the queue")

    def _waiting(self, key: str) -> QueuedPod | None:
        return next((queued for queued in self._loop.queue if queued.pod.key == key), None)

    def _message(self, key: str) -> str:
        waiting = self._waiting(key)
        return waiting.message if waiting is not None else ""


def _queued(queued: QueuedPod) -> pb.QueuedPod:
    return pb.QueuedPod(
        namespace=queued.pod.namespace,
        name=queued.pod.name,
        attempts=queued.attempts,
        last_failure=queued.message,
    )


def explain(key: str, outcome: Placed | Unplaced, message: str) -> pb.ExplainResponse:
    """A decision as the contract says it."""
    if isinstance(outcome, Unplaced):
        rejections = [pb.Rejection(plugin=r.plugin, reason=r.reason, nodes=r.nodes) for r in outcome.rejections]
        return pb.ExplainResponse(message=message or outcome.message, rejections=rejections)
    scores = [pb.NodeScore(node_name=node, total=total, by_plugin=by) for node, total, by in outcome.top()]
    message = message or f"Successfully assigned {key} to {outcome.node}"
    return pb.ExplainResponse(node_name=outcome.node, message=message, scores=scores)
