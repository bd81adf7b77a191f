"""What a scheduling plugin is: answers for all nodes at once, as a mask (filter) or as numbers (score).

`rows` selects the nodes asked about: all of them, or those that changed. `scope` says what an answer for one node
depends on, and so which rows have to be asked again after a change.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from kybern.scheduler.core.columns import Ints, Mask, Rows, Slots
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

MAX_SCORE = 100


class Scope(Enum):
    """What one node's answer depends on."""

    NODE = "the node object"
    ROW = "the node object and the pods on the node"
    NODES = "any node object"
    CLUSTER = "any node object, any pod"


class Event(Enum):
    """What may happen in a cluster that could make an unschedulable pod schedulable."""

    NODE_ADD = "NodeAdd"
    NODE_ALLOCATABLE = "NodeAllocatableChange"
    NODE_LABEL = "NodeLabelChange"
    NODE_TAINT = "NodeTaintChange"
    NODE_DELETE = "NodeDelete"
    POD_ADD = "AssignedPodAdd"
    POD_UPDATE = "AssignedPodUpdate"
    POD_DELETE = "AssignedPodDelete"


# Whether the event, about this object (a Node, or the facts of an assigned pod), may help a pod that was turned down.
Hint = Callable[[Facts, Any], bool]


def always(facts: Facts, obj: Any) -> bool:
    """The hint of a plugin that does not look closer."""
    return True


class FilterPlugin(Protocol):
    """Turns nodes down."""

    name: str
    scope: Scope

    @property
    def events(self) -> Mapping[Event, Hint]:
        """What may help a pod that this plugin turned down."""
        ...

    def filter(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Mask | None:
        """Which rows can take the pod; None: every node can, whatever changes."""
        ...

    def reasons(self, pod: Facts, nodes: Snapshot, rejected: Rows) -> Counter[str]:
        """Upstream's words for each way in which the rejected rows fail, with the number of nodes."""
        ...


@runtime_checkable
class Curable(Protocol):
    """A filter plugin whose answer may change when pods leave a node."""

    def curable(self, pod: Facts, nodes: Snapshot, rejected: Slots) -> Slots:
        """Those of the rejected rows that could take the pod if pods left them."""
        ...


class ScorePlugin(Protocol):
    """Prefers nodes. Higher is better; weights apply to scores between 0 and 100."""

    name: str
    scope: Scope
    normalizes: bool  # whether `normalize` has to see the raw scores of all feasible nodes

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        """Raw scores of the rows (with scope CLUSTER: all feasible ones); None: no preference for such a pod."""
        ...

    def normalize(self, raw: Ints) -> Ints:
        """Raw scores of all feasible nodes as 0 to 100."""
        ...


def normalized(raw: Ints, reverse: bool = False) -> Ints:
    """Scaled so that the largest becomes 100; reversed, 0 becomes 100 (upstream's DefaultNormalizeScore)."""
    most = int(raw.max(initial=0))
    if most == 0:
        return raw * 0 + (MAX_SCORE if reverse else 0)
    scaled: Ints = raw * MAX_SCORE // most
    return MAX_SCORE - scaled if reverse else scaled
