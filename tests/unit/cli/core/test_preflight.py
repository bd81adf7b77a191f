"""Real nodes, simulated nodes, or a sentence."""

import pytest

from kybern.cli.core.options import ClusterOptions, UsageError
from kybern.cli.core.preflight import TOOLS, HostFacts, decide_nodes

FULL = HostFacts(root=True, tools=frozenset(TOOLS))
USER = HostFacts(root=False, tools=frozenset(TOOLS))
BARE = HostFacts(root=True, tools=frozenset(TOOLS) - {"containerd", "ctr"})


@pytest.mark.parametrize(
    ("options", "facts", "nodes", "simulated"),
    [
        (ClusterOptions(), FULL, 1, 0),
        (ClusterOptions(nodes=3), FULL, 3, 0),
        (ClusterOptions(simulated_nodes=5), FULL, 0, 5),
        (ClusterOptions(nodes=1, simulated_nodes=5), FULL, 1, 5),
        (ClusterOptions(), USER, 0, 1),
        (ClusterOptions(simulated_nodes=4), USER, 0, 4),
        (ClusterOptions(), BARE, 0, 1),
        (ClusterOptions(nodes=0), FULL, 0, 0),
        (ClusterOptions(api_only=True), FULL, 0, 0),
        (ClusterOptions(api_only=True), BARE, 0, 0),
    ],
)
def test_decision(options: ClusterOptions, facts: HostFacts, nodes: int, simulated: int) -> None:
    decided = decide_nodes(options, facts).options
    assert (decided.nodes, decided.simulated_nodes) == (nodes, simulated)


def test_simulation_says_why() -> None:
    assert "not root" in decide_nodes(ClusterOptions(), USER).notices[0]
    assert "containerd" in decide_nodes(ClusterOptions(), BARE).notices[0]


@pytest.mark.parametrize(("facts", "words"), [(USER, "run as root"), (BARE, "apt-get install containerd")])
def test_real_nodes_that_were_asked_for_are_not_replaced(facts: HostFacts, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        decide_nodes(ClusterOptions(nodes=1), facts)
