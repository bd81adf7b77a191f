"""SchedulingGates: a pod with gates does not enter the queue until all of them are removed."""

from kybern.scheduler.core.pod import Pod

NAME = "SchedulingGates"


def gated(pod: Pod) -> str:
    """Why the pod may not be scheduled yet; "" when it may."""
    if not pod.gates:
        return ""
    return f"waiting for scheduling gates: [{' '.join(pod.gates)}]"
