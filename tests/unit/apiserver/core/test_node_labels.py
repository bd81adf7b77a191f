import pytest

from kybern.apiserver.core.node_labels import forbidden_labels

LABELS = {
    "example.com/rack": True,
    "rack": True,
    "kubernetes.io/hostname": True,
    "topology.kubernetes.io/zone": True,
    "kubelet.kubernetes.io/x": True,
    "gpu.node.kubernetes.io/x": True,
    "notkubernetes.io/x": True,
    "node-role.kubernetes.io/control-plane": False,
    "kubernetes.io/role": False,
    "anything.k8s.io/x": False,
    "node-restriction.kubernetes.io/tenant": False,
    "eu.node-restriction.kubernetes.io/tenant": False,
}


@pytest.mark.parametrize(("label", "allowed"), LABELS.items())
def test_what_an_agent_may_write(label: str, allowed: bool) -> None:
    expected = [] if allowed else [label]
    assert forbidden_labels({label: "a"}, {}) == expected
    assert forbidden_labels({label: "b"}, {label: "a"}) == expected
    assert forbidden_labels({}, {label: "a"}) == expected
    assert forbidden_labels({label: "a"}, {label: "a"}) == []


def test_all_are_named_in_order() -> None:
    assert forbidden_labels({"k8s.io/b": "", "k8s.io/a": "", "x": ""}, {}) == ["k8s.io/a", "k8s.io/b"]
