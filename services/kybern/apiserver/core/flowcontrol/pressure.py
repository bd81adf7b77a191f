"""Pressure: when the event loop is behind, workload levels may use fewer of their seats until it has caught up.

Seats say how many requests may be under way; here all of them share one thread, and what each takes of it delays every
other. So the share that workload levels may use falls by a fifth for each look at which the loop was late, and rises
again slowly. Those that keep the cluster alive are never cut.
"""

LATE, PUNCTUAL = 0.05, 0.02  # seconds that the loop is behind
FALL, RISE = 0.8, 1.05
LEAST = 0.02  # of a level's seats
FEWEST = 8  # seats
BUSY = 16  # requests under way from which on the loop is watched closely
KEPT = frozenset({"exempt", "leader-election", "node-high", "system", "workload-high"})


def next_share(share: float, behind: float) -> float:
    """The share of their seats that workload levels may use from now on."""
    if behind > LATE:
        return max(LEAST, share * FALL)
    if behind < PUNCTUAL:
        return min(1.0, share * RISE)
    return share


def pressed(level: str, limit: int, share: float) -> int:
    """The seats that a level may use."""
    if level in KEPT or share >= 1.0:
        return limit
    return max(min(limit, FEWEST), round(limit * share))
