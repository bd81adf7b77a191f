"""Steps of cluster size with the seconds that belong to them; a step is left later than it is entered."""

from dataclasses import dataclass

ANNOTATION = "node.alpha.kubernetes.io/ttl"


@dataclass(frozen=True)
class Step:
    """From how many nodes the step before is gone back to, up to how many it lasts, and its seconds."""

    least: int
    most: int
    seconds: int


STEPS = (Step(0, 100, 0), Step(90, 500, 15), Step(450, 1000, 30), Step(900, 2000, 60), Step(1800, 2**31 - 1, 300))


def next_step(current: int, nodes: int) -> int:
    """The index of the step for a number of nodes, coming from another."""
    while nodes > STEPS[current].most:
        current += 1
    while nodes < STEPS[current].least:
        current -= 1
    return current
